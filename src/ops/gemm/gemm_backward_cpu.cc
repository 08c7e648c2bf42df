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

void PackF32(const float* const* rows, int64_t count, int64_t column, int64_t columns,
             float* panel) {
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      Store(LoadUpTo(rows[r], column + c, columns), panel + r * kPanel + c);
    }
  }
}

void PackBf16(const float* const* rows, int64_t count, int64_t column, int64_t columns,
              uint16_t* panel) {
  for (int64_t r = 0; r < count; r += 2) {
    uint16_t first[kPanel];
    uint16_t second[kPanel];
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      StoreBf16(LoadUpTo(rows[r], column + c, columns), first + c);
      StoreBf16(r + 1 < count ? LoadUpTo(rows[r + 1], column + c, columns) : Zero(), second + c);
    }
    uint16_t* out = panel + r * kPanel;
    for (int64_t c = 0; c < kPanel; ++c) {
      out[2 * c] = first[c];
      out[2 * c + 1] = second[c];
    }
  }
}

void TransposeRows(const float* const* rows, int64_t count, int64_t column, int64_t columns,
                   float* out, int64_t stride) {
  Transpose([&](int64_t r) { return rows[r] + column; }, count, columns, out, stride);
}

void Put(const float* tile, int64_t rows, int64_t columns, bool add, float* out, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; c += kLanes) {
      const int count = static_cast<int>(columns - c < kLanes ? columns - c : kLanes);
      float* to = out + r * stride + c;
      const F32 value = LoadN(tile + r * kPanel + c, count);
      StoreN(add ? Add(LoadN(to, count), value) : value, to, count);
    }
  }
}

}  // namespace

extern const GemmBackwardKernels kGemmBackwardKernels;
constinit const GemmBackwardKernels kGemmBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .multiplies_bf16 = kMultipliesBf16,
    .pack_f32 = PackF32,
    .pack_bf16 = PackBf16,
    .transpose = TransposeRows,
    .put = Put,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
