// A bounds-checked cursor over little-endian bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace ringlet {

static_assert(std::endian::native == std::endian::little, "file formats are read in place");

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }

  // Both return false and move nothing when fewer bytes remain.
  template <typename T>
  bool Read(T* value) {
    if (remaining() < sizeof(T)) return false;
    std::memcpy(value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return true;
  }
  bool ReadText(uint64_t size, std::string_view* text) {
    if (remaining() < size) return false;
    *text = {reinterpret_cast<const char*>(bytes_.data()) + position_, size};
    position_ += size;
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;
};

}  // namespace ringlet
