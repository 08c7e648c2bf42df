// TokenSet: ids of a vocabulary, one bit each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace ringlet {

// Bit id % 64 of word id / 64. Ids outside the words are not in the set.
inline bool TokenBit(std::span<const uint64_t> words, int32_t id) {
  const size_t word = static_cast<uint32_t>(id) / 64;
  return id >= 0 && word < words.size() && ((words[word] >> (id % 64)) & 1) != 0;
}

class TokenSet {
 public:
  // Holds ids from 0 to vocab - 1.
  explicit TokenSet(int64_t vocab) : words_((static_cast<size_t>(vocab) + 63) / 64) {}

  // Ids outside the words are ignored.
  void Add(int32_t id);
  bool Contains(int32_t id) const { return TokenBit(words_, id); }
  std::span<const uint64_t> words() const { return words_; }

 private:
  std::vector<uint64_t> words_;
};

// The tokens whose bytes contain one of `texts`; empty texts are ignored. A text that the tokenizer
// spreads over two tokens is in neither of them.
TokenSet TokensContaining(std::span<const std::string_view> texts, int64_t vocab,
                          const std::function<std::string_view(int32_t id)>& token_bytes);

}  // namespace ringlet
