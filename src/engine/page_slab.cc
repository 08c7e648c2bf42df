#include "engine/page_slab.h"

#include <algorithm>

namespace ringlet {
namespace {

// A sequence below this is read from the caches.
constexpr size_t kShortSequence = size_t{2} << 20;
constexpr size_t kSmallestSlab = size_t{8} << 20;
constexpr size_t kLargestSlab = size_t{64} << 20;

size_t Stride(size_t page_bytes) { return (page_bytes + 63) / 64 * 64; }

}  // namespace

PageSlab::PageSlab(size_t page_bytes, size_t pages)
    : page_bytes_(page_bytes), pages_(pages), memory_(pages * Stride(page_bytes)) {
  for (size_t i = pages; i-- > 0;) free_.push_back(memory_.data() + i * Stride(page_bytes));
}

std::byte* PageSlab::Take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return nullptr;
  std::byte* place = free_.back();
  free_.pop_back();
  return place;
}

void PageSlab::GiveBack(std::byte* place) {
  const std::lock_guard lock(mutex_);
  free_.push_back(place);
}

size_t PageSlab::available() const {
  const std::lock_guard lock(mutex_);
  return free_.size();
}

size_t PagesToAllocate(size_t page_bytes, size_t held) {
  const size_t stride = Stride(page_bytes);
  if (stride == 0 || held * stride < kShortSequence) return 1;
  const size_t bytes = std::clamp(held * stride / 4, kSmallestSlab, kLargestSlab);
  return (bytes + stride - 1) / stride;
}

}  // namespace ringlet
