#pragma once

#include "ops/kernel_tables.h"
#include "ops/kv_block.h"

namespace ringlet {

// The products are those of the forward pass (lightning_kernels.h); these bring their operands into
// place. R is d rounded up to 16.
struct LightningBackwardKernels {
  const char* name;
  uint32_t required;
  // Keys as values and values as keys, of a whole block.
  void (*swap)(const float* keys, const float* values, int64_t d, float* swapped_keys,
               float* swapped_values);
  // Rows [count][R] of a block's keys or values.
  void (*key_rows)(const float* keys, int64_t count, int64_t d, float* rows);
  void (*value_rows)(const float* values, int64_t count, int64_t d, float* rows);
  // Row r at in + r * stride as position r of keys or values; zero from `count` on.
  void (*to_keys)(const float* in, int64_t stride, int64_t count, int64_t d, float* keys);
  void (*to_values)(const float* in, int64_t stride, int64_t count, int64_t d, float* values);
  // Rows [count][R] to out, `stride` floats apart.
  void (*put_rows)(const float* rows, int64_t count, int64_t d, float* out, int64_t stride);
  // out = factor * in, or its transpose; [d, d].
  void (*scale)(const float* in, int64_t d, float factor, float* out);
  void (*transpose)(const float* in, int64_t d, float* out);
};

RINGLET_KERNEL_TABLES(LightningBackwardKernels, kLightningBackwardKernels, LightningBackwardTables)

}  // namespace ringlet
