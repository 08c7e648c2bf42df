#pragma once

#include <cstddef>

#include "ops/kernel_tables.h"

namespace ringlet {

// A part of dw: some outputs, and one strip of inputs, over a block of rows.
struct GradientTile {
  const std::byte* strip = nullptr;  // of x, as pack_* leave it
  const std::byte* dy = nullptr;     // of each output: its rows, as transpose leaves them
  int64_t dy_bytes = 0;              // from one output to the next
  int64_t rows = 0;
  int64_t outputs = 0;
  int64_t columns = 0;  // of the strip that exist
  float* dw = nullptr;
  int64_t dw_stride = 0;
  bool add = false;
};

struct GemmBackwardKernels {
  const char* name;
  uint32_t required;
  // Whether GEMM kernels of this set round kBf16 rows to BF16 and multiply them as such.
  bool multiplies_bf16;
  // Columns of a strip: what a register block holds, so that a strip stays in the first cache.
  int64_t strip;
  // Rows as a strip, lanes along columns: values [column, column + strip) of each row, zero from
  // `columns` on. fp32, or pairs of BF16 along the rows (the last one with zeros).
  void (*pack_f32)(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                   float* out);
  void (*pack_bf16)(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                    uint16_t* out);
  // out[c * stride + r] = rows[r][column + c].
  void (*transpose)(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                    float* out, int64_t stride);
  // dw = or += dy x: the sum over the rows upwards, one chain for each value.
  void (*multiply_f32)(const GradientTile& tile);
  // Null unless multiplies_bf16.
  void (*multiply_bf16)(const GradientTile& tile);
};

RINGLET_PRODUCT_TABLES(GemmBackwardKernels, kGemmBackwardKernels, GemmBackwardTables)

}  // namespace ringlet
