#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct SwiGluBackwardKernels {
  const char* name;
  uint32_t required;
  // dgate and dup may be gate and up.
  void (*row)(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
              int64_t n);
};

RINGLET_KERNEL_TABLES(SwiGluBackwardKernels, kSwiGluBackwardKernels, SwiGluBackwardTables)

}  // namespace ringlet
