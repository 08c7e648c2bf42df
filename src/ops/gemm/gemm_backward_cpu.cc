// What weight gradients need besides the GEMM kernels: operands in their layouts.
#include <bit>
#include <cmath>

#include "ops/gemm/gemm_backward_kernels.h"
#include "ops/gemm/packed_matrix.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/simd/transpose.inl.h"

#include "ops/gemm/gemm_float_weights.inl.h"

constexpr int64_t kStrip = kBlockVectors * kLanes;

#if defined(RINGLET_ISA_AVX512_BF16)
constexpr bool kMultipliesBf16 = true;
#else
constexpr bool kMultipliesBf16 = false;
#endif

RINGLET_INLINE F32 LoadUpTo(const float* row, int64_t column, int64_t columns) {
  const int64_t rest = columns - column;
  if (rest >= kLanes) return Load(row + column);
  return rest > 0 ? LoadN(row + column, static_cast<int>(rest)) : Zero();
}

void PackF32(const float* const* rows, int64_t count, int64_t column, int64_t columns, float* out) {
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t c = 0; c < kStrip; c += kLanes) {
      Store(LoadUpTo(rows[r], column + c, columns), out + r * kStrip + c);
    }
  }
}

void PackBf16(const float* const* rows, int64_t count, int64_t column, int64_t columns,
              uint16_t* out) {
  for (int64_t r = 0; r < count; r += 2) {
    uint16_t first[kStrip];
    uint16_t second[kStrip];
    for (int64_t c = 0; c < kStrip; c += kLanes) {
      StoreBf16(LoadUpTo(rows[r], column + c, columns), first + c);
      StoreBf16(r + 1 < count ? LoadUpTo(rows[r + 1], column + c, columns) : Zero(), second + c);
    }
    uint16_t* pairs = out + r * kStrip;
    for (int64_t c = 0; c < kStrip; ++c) {
      pairs[2 * c] = first[c];
      pairs[2 * c + 1] = second[c];
    }
  }
}

void TransposeRows(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                   float* out, int64_t stride) {
  Transpose([&](int64_t r) { return rows[r] + column; }, count, columns, out, stride);
}

template <typename Weights, int R>
void GradientBlock(const GradientTile& tile, int64_t output) {
  const typename Weights::Input* dy[R];
  F32 acc[R][kBlockVectors];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    dy[r] =
        reinterpret_cast<const typename Weights::Input*>(tile.dy + (output + r) * tile.dy_bytes);
#pragma GCC unroll 16
    for (int v = 0; v < kBlockVectors; ++v) acc[r][v] = Zero();
  }
  const int64_t steps = Weights::Steps(tile.rows);
  for (int64_t step = 0; step < steps; ++step) {
    Weights::template Step<R, kBlockVectors>(tile.strip, step, 0, dy, acc);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    float* out = tile.dw + (output + r) * tile.dw_stride;
#pragma GCC unroll 16
    for (int v = 0; v < kBlockVectors; ++v) {
      const int64_t rest = tile.columns - v * kLanes;
      const int count = static_cast<int>(rest < kLanes ? rest : kLanes);
      if (count <= 0) break;
      float* to = out + v * kLanes;
      StoreN(tile.add ? Add(LoadN(to, count), acc[r][v]) : acc[r][v], to, count);
    }
  }
}

template <typename Weights>
void Multiply(const GradientTile& tile) {
  const int64_t whole = tile.outputs / kBlockRows * kBlockRows;
  for (int64_t output = 0; output < whole; output += kBlockRows) {
    GradientBlock<Weights, kBlockRows>(tile, output);
  }
  switch (tile.outputs - whole) {
    case 1:
      return GradientBlock<Weights, 1>(tile, whole);
    case 2:
      return GradientBlock<Weights, 2>(tile, whole);
    case 3:
      return GradientBlock<Weights, 3>(tile, whole);
    case 4:
      return GradientBlock<Weights, 4>(tile, whole);
    case 5:
      return GradientBlock<Weights, 5>(tile, whole);
    default:
      return;
  }
}

}  // namespace

extern const GemmBackwardKernels kGemmBackwardKernels;
constinit const GemmBackwardKernels kGemmBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .multiplies_bf16 = kMultipliesBf16,
    .strip = kStrip,
    .pack_f32 = PackF32,
    .pack_bf16 = PackBf16,
    .transpose = TransposeRows,
    .multiply_f32 = Multiply<F32Weights<kStrip>>,
    .multiply_bf16 = kMultipliesBf16 ? Multiply<Bf16Weights<kStrip>> : nullptr,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
