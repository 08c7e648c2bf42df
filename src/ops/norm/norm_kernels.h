#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct NormKernels {
  const char* name;
  uint32_t required;
  void (*rms_norm)(const float* x, const float* weight, float* y, int64_t n, float eps);
  // One group: y = weight * x * rsqrt(...) * sigmoid(gate).
  void (*norm_gate)(const float* x, const float* gate, const float* weight, float* y, int64_t n,
                    float eps);
};

RINGLET_KERNEL_TABLES(NormKernels, kNormKernels, NormTables)

}  // namespace ringlet
