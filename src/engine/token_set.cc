#include "engine/token_set.h"

#include <algorithm>

namespace ringlet {

void TokenSet::Add(int32_t id) {
  if (id < 0 || static_cast<size_t>(id) / 64 >= words_.size()) return;
  words_[id / 64] |= uint64_t{1} << (id % 64);
}

TokenSet TokensContaining(std::span<const std::string_view> texts, int64_t vocab,
                          const std::function<std::string_view(int32_t id)>& token_bytes) {
  TokenSet set(vocab);
  for (int32_t id = 0; id < vocab; ++id) {
    const std::string_view bytes = token_bytes(id);
    const bool found = std::ranges::any_of(texts, [&](std::string_view text) {
      return !text.empty() && bytes.find(text) != std::string_view::npos;
    });
    if (found) set.Add(id);
  }
  return set;
}

}  // namespace ringlet
