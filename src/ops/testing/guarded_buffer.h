// GuardedBuffer: memory for an operator's output, filled with NaN, with guard bytes on both sides.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace ringlet::testing {

// T is a type whose all-ones bytes are NaN (float, double, bf16_t) or a plain integer. `shift`
// elements move the data off the 64-byte boundary. The guards are checked by Check(), and once more
// at destruction.
template <typename T>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t count, size_t shift = 0) : count_(count) {
    const size_t offset = kGuard + shift * sizeof(T);
    bytes_.assign(offset + count * sizeof(T) + kGuard + kAlign, kPattern);
    const auto address = reinterpret_cast<uintptr_t>(bytes_.data());
    begin_ = (kAlign - address % kAlign) % kAlign + offset;
    Poison();
  }
  ~GuardedBuffer() { EXPECT_TRUE(Check()); }
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  T* data() { return reinterpret_cast<T*>(bytes_.data() + begin_); }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.data() + begin_); }
  size_t size() const { return count_; }
  T& operator[](size_t i) { return data()[i]; }
  std::span<T> span() { return {data(), count_}; }
  std::span<const T> span() const { return {data(), count_}; }

  void Poison() { std::memset(data(), 0xff, count_ * sizeof(T)); }

  ::testing::AssertionResult Check() const {
    const size_t end = begin_ + count_ * sizeof(T);
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if ((i >= begin_ && i < end) || bytes_[i] == kPattern) continue;
      return ::testing::AssertionFailure()
             << "a guard byte was written, " << (i < begin_ ? begin_ - i : i - end + 1)
             << (i < begin_ ? " before the begin" : " after the end") << " of the buffer";
    }
    return ::testing::AssertionSuccess();
  }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr size_t kAlign = 64;
  static constexpr uint8_t kPattern = 0xa5;
  size_t count_;
  size_t begin_ = 0;
  std::vector<uint8_t> bytes_;
};

// Equality of bits, reported by element.
template <typename T>
::testing::AssertionResult SameBits(std::span<const T> a, std::span<const T> b) {
  if (a.size() != b.size()) {
    return ::testing::AssertionFailure() << "sizes differ: " << a.size() << " and " << b.size();
  }
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) {
      return ::testing::AssertionFailure()
             << "index " << i << ": " << a[i] << " and " << b[i] << " have different bits";
    }
  }
  return ::testing::AssertionSuccess();
}
template <typename T>
::testing::AssertionResult SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return SameBits(std::span<const T>(a), std::span<const T>(b));
}

}  // namespace ringlet::testing
