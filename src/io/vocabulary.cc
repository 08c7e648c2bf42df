#include "io/vocabulary.h"

#include <bit>
#include <functional>

#include "base/check.h"

namespace ringlet {

void Vocabulary::Set(int32_t id, std::string_view bytes) {
  RINGLET_CHECK(id >= 0 && id < size() && !Defined(id), "ids are checked before they are set");
  RINGLET_CHECK(text_.size() + bytes.size() < kHole, "files are smaller than 4 GiB");
  tokens_[static_cast<size_t>(id)] = {static_cast<uint32_t>(text_.size()),
                                      static_cast<uint32_t>(bytes.size())};
  text_.append(bytes);
}

void Vocabulary::BuildIndex(const std::vector<int32_t>& ids) {
  index_.assign(std::bit_ceil(2 * ids.size() + 1), -1);
  const size_t mask = index_.size() - 1;
  for (const int32_t id : ids) {
    size_t slot = std::hash<std::string_view>{}(Bytes(id)) & mask;
    while (index_[slot] >= 0 && Bytes(index_[slot]) != Bytes(id)) slot = (slot + 1) & mask;
    if (index_[slot] < 0 || id < index_[slot]) index_[slot] = id;
  }
}

std::string_view Vocabulary::Bytes(int32_t id) const {
  if (!Defined(id)) return {};
  const Span span = tokens_[static_cast<size_t>(id)];
  return std::string_view(text_).substr(span.offset, span.length);
}

int32_t Vocabulary::Find(std::string_view bytes) const {
  if (index_.empty()) return -1;
  const size_t mask = index_.size() - 1;
  size_t slot = std::hash<std::string_view>{}(bytes)&mask;
  while (index_[slot] >= 0) {
    if (Bytes(index_[slot]) == bytes) return index_[slot];
    slot = (slot + 1) & mask;
  }
  return -1;
}

}  // namespace ringlet
