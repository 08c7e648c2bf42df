// The tokens of a vocabulary as bytes, by id and by content.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

class Vocabulary {
 public:
  // Ids are in [0, size). Ids that nobody sets are holes: no bytes, not defined.
  explicit Vocabulary(int32_t size) : tokens_(static_cast<size_t>(size)) {}

  // At most once per id.
  void Set(int32_t id, std::string_view bytes);
  // Marks the end of Set: builds the index that Find uses. Of two tokens of equal bytes the one
  // with the lower id is found.
  void BuildIndex(const std::vector<int32_t>& ids);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  bool Defined(int32_t id) const {
    return id >= 0 && id < size() && tokens_[static_cast<size_t>(id)].length != kHole;
  }
  // Empty for ids that are not defined.
  std::string_view Bytes(int32_t id) const;
  // -1 when no indexed token has these bytes.
  int32_t Find(std::string_view bytes) const;

 private:
  static constexpr uint32_t kHole = UINT32_MAX;
  struct Span {
    uint32_t offset = 0;
    uint32_t length = kHole;
  };

  std::string text_;
  std::vector<Span> tokens_;
  std::vector<int32_t> index_;  // open addressing, a power of two long, -1 is empty
};

}  // namespace ringlet
