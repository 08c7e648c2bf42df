#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct QkvKernels {
  const char* name;
  uint32_t required;
  // out[0..d) = rotate(norm(x)); weight may be null. out may not be x.
  void (*head)(const float* x, const float* weight, const float* cos_sin, int64_t rotary_dim,
               int64_t d, float eps, float* out);
  // Rounds n values to bf16.
  void (*to_bf16)(const float* x, uint16_t* out, int64_t n);
  // Codes in [-127, 127] (out has room for n rounded up to 16) and the BF16 scale, rounded up, that
  // they are multiplied with. A NaN or an infinity makes the scale NaN.
  uint16_t (*to_int8)(const float* x, int8_t* out, int64_t n);
};

RINGLET_KERNEL_TABLES(QkvKernels, kQkvKernels, QkvTables)

}  // namespace ringlet
