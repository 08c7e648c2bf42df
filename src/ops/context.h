// Context: what every operator needs to run. Owned by the caller, passed down, never global.
#pragma once

#include <cstddef>
#include <vector>

#include "base/aligned.h"
#include "base/thread_pool.h"
#include "ops/isa.h"

namespace ringlet {

class Context {
 public:
  Context(IsaChoice choice, int threads)
      : isa(choice), pool(threads), scratch_(static_cast<size_t>(pool.threads())) {}

  IsaChoice isa;
  // Operators call pool.ParallelFor from the calling thread; one caller at a time.
  ThreadPool pool;

  // Uninitialised memory of one thread of a region, valid until its next call: kept between
  // operators, because fresh pages cost more than small kernels.
  float* ThreadScratch(int thread, size_t floats) {
    AlignedBuffer<float>& buffer = scratch_[static_cast<size_t>(thread)];
    buffer.Reset(floats);
    return buffer.data();
  }
  // The same for the caller of an operator, shared by the threads of its regions.
  float* SharedScratch(size_t floats) {
    shared_.Reset(floats);
    return shared_.data();
  }

 private:
  std::vector<AlignedBuffer<float>> scratch_;
  AlignedBuffer<float> shared_;
};

}  // namespace ringlet
