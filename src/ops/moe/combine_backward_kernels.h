#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct CombineBackwardKernels {
  const char* name;
  uint32_t required;
  // dprojected = weight * dout; returns dout . projected.
  float (*slot)(const float* dout, const float* projected, float weight, int64_t n,
                float* dprojected);
  // dx = or += the sum of `count` rows of n.
  void (*sum)(const float* slots, int64_t count, int64_t n, bool add, float* dx);
};

RINGLET_KERNEL_TABLES(CombineBackwardKernels, kCombineBackwardKernels, CombineBackwardTables)

}  // namespace ringlet
