// A 64-byte aligned, uninitialised buffer of trivially copyable values; in huge pages when it is
// large and the system has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <type_traits>

#include "base/check.h"

namespace ringlet {

// Memory for an AlignedBuffer, to be freed with std::free; null when there is none.
void* AllocateAligned(size_t bytes);

template <typename T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t count) { Reset(count); }

  // Discards the contents; values are indeterminate afterwards. Keeps the allocation if it is large
  // enough.
  void Reset(size_t count) {
    if (count > capacity_) {
      data_.reset(static_cast<T*>(AllocateAligned(count * sizeof(T))));
      RINGLET_CHECK(data_ != nullptr, "out of memory");
      capacity_ = count;
    }
    size_ = count;
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }
  std::span<T> span() { return {data_.get(), size_}; }
  std::span<const T> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T[], Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace ringlet
