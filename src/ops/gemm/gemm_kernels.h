// The per-instruction-set side of GEMM.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/gemm/packed_matrix.h"
#include "ops/kernel_tables.h"

namespace ringlet {

// One group of a dynamically quantized activation row.
struct alignas(16) QuantActGroup {
  int8_t q[32];
  // q[0..1], q[16..17], q[2..3], q[18..19], ...: the order of kInt4Layout's codes.
  int8_t paired[32];
  float scale;
  float scaled_sum;  // scale times the sum of q
  int16_t sum_low;   // sum of q[0..15]
  int16_t sum_high;  // sum of q[16..31]
  int32_t start;     // -8 * sum_low and -8 * sum_high as two int16, low half first
};
static_assert(sizeof(QuantActGroup) == 80);

// One panel times some rows: out[r][c] = dot(row r, output c of the panel) for c < columns.
struct GemmTile {
  const std::byte* panel;
  QuantLayout quant;
  int64_t k;
  const std::byte* const* inputs;
  float* const* outputs;  // already advanced to the panel's first column
  int64_t rows;
  int columns;  // 1..64
};

struct GemmKernels {
  const char* name;
  uint32_t required;
  // Bytes of a prepared bf16 row; its layout is the kernel's own.
  int64_t (*bf16_row_bytes)(int64_t k);
  void (*prepare_bf16)(const float* x, int64_t k, std::byte* out);
  void (*prepare_quant)(const float* x, int64_t k, std::byte* out);
  void (*tile_f32)(const GemmTile& tile);
  void (*tile_bf16)(const GemmTile& tile);
  void (*tile_quant)(const GemmTile& tile);
  void (*tile_fp8)(const GemmTile& tile);  // rows prepared as for tile_bf16
};

RINGLET_PRODUCT_TABLES(GemmKernels, kGemmKernels, GemmTables)

}  // namespace ringlet
