#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct NormBackwardKernels {
  const char* name;
  uint32_t required;
  // One row; its terms are added to dweight unless that is null.
  void (*rms_norm)(const float* x, const float* weight, const float* dy, float* dx, bool add_dx,
                   float* dweight, int64_t n, float eps);
  // One group of a row.
  void (*norm_gate)(const float* x, const float* gate, const float* weight, const float* dy,
                    float* dx, float* dgate, float* dweight, int64_t n, float eps);
};

RINGLET_KERNEL_TABLES(NormBackwardKernels, kNormBackwardKernels, NormBackwardTables)

}  // namespace ringlet
