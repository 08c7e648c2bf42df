#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct QkvBackwardKernels {
  const char* name;
  uint32_t required;
  // dx = gradient of rotate(norm(x)), dout being that of its result; its terms are added to dweight
  // unless that is null. weight may be null. rotated: d floats of scratch.
  void (*head)(const float* x, const float* weight, const float* cos_sin, int64_t rotary_dim,
               int64_t d, float eps, const float* dout, float* dx, float* dweight, float* rotated);
};

RINGLET_KERNEL_TABLES(QkvBackwardKernels, kQkvBackwardKernels, QkvBackwardTables)

}  // namespace ringlet
