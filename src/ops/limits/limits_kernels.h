#pragma once

#include <cstddef>

#include "ops/kernel_tables.h"

namespace ringlet {

// A chain of multiply-adds on registers. `run` repeats it and returns a value that depends on every
// step, so that no compiler can leave one out. Null where the set has no such instruction.
struct LimitChain {
  float (*run)(int64_t rounds);
  double ops_per_round;
};

// Bytes that a read kernel takes at a time.
inline constexpr int64_t kReadStride = 1024;

struct LimitKernels {
  const char* name;
  uint32_t required;
  LimitChain fp32;
  LimitChain bf16;
  LimitChain int8;
  // Reads `bytes`, a multiple of kReadStride, and returns a value that depends on all of them.
  uint64_t (*read)(const std::byte* data, int64_t bytes);
};

RINGLET_PRODUCT_TABLES(LimitKernels, kLimitKernels, LimitTables)

}  // namespace ringlet
