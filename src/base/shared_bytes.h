// Read-only bytes and what keeps them valid: memory of their own, or part of a mapped file.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "base/aligned.h"

namespace ringlet {

// Copies share. The bytes live as long as any copy.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(AlignedBuffer<std::byte> buffer) {
    auto owner = std::make_shared<AlignedBuffer<std::byte>>(std::move(buffer));
    bytes_ = owner->span();
    owner_ = std::move(owner);
  }
  SharedBytes(std::span<const std::byte> bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}

  const std::byte* data() const { return bytes_.data(); }
  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> span() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace ringlet
