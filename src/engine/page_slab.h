// Memory for the pages of keys and values of a long sequence, many pages at a time, so that it lies
// in huge pages where the system has them: decode reads all of it for each token, and looking up
// small pages' addresses takes a fifth of that time.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include "base/aligned.h"

namespace ringlet {

// Places for `pages` pages of `page_bytes` bytes, 64-byte aligned. Any thread may take and give
// back.
class PageSlab {
 public:
  PageSlab(size_t page_bytes, size_t pages);

  // An uninitialised place; null when all are taken.
  std::byte* Take();
  void GiveBack(std::byte* place);
  size_t page_bytes() const { return page_bytes_; }
  size_t pages() const { return pages_; }
  size_t available() const;

 private:
  size_t page_bytes_;
  size_t pages_;
  AlignedBuffer<std::byte> memory_;
  mutable std::mutex mutex_;
  std::vector<std::byte*> free_;  // the lowest address last
};

// How many pages to make room for when a sequence has `held` pages: one (memory of its own) while
// it is short, then at least a few huge pages and a quarter of what it has.
size_t PagesToAllocate(size_t page_bytes, size_t held);

}  // namespace ringlet
