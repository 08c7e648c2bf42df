#pragma once

#include <cstddef>

#include "ops/kernel_tables.h"

namespace ringlet {

struct GemmBackwardKernels {
  const char* name;
  uint32_t required;
  // Whether GEMM kernels of this set round kBf16 rows to BF16 and multiply them as such.
  bool multiplies_bf16;
  // Rows as a panel of packed weights, lanes along columns: values [column, column + 64) of each
  // row, zero from `columns` on. fp32, or pairs of BF16 along the rows (the last one with zeros).
  void (*pack_f32)(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                   float* panel);
  void (*pack_bf16)(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                    uint16_t* panel);
  // out[c * stride + r] = rows[r][column + c].
  void (*transpose)(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                    float* out, int64_t stride);
  // out[r][c] = or += tile[r][c]; rows of tile are 64 apart.
  void (*put)(const float* tile, int64_t rows, int64_t columns, bool add, float* out,
              int64_t stride);
};

RINGLET_PRODUCT_TABLES(GemmBackwardKernels, kGemmBackwardKernels, GemmBackwardTables)

}  // namespace ringlet
