#include <bit>
#include <cmath>

#include "ops/lightning/lightning_backward_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/simd/transpose.inl.h"

#include "ops/simd/kv_rows.inl.h"

// Tiles of 16 positions by 16 dimensions change places.
void Swap(const float* keys, const float* values, int64_t d, float* swapped_keys,
          float* swapped_values) {
  constexpr int64_t kStrip = kStripColumns;
  for (int64_t position = 0; position < kBlockPositions; position += kStrip) {
    for (int64_t column = 0; column < d; column += kStrip) {
      const int64_t n = d - column < kStrip ? d - column : kStrip;
      const int64_t key_tile = position * d + column * kStrip;
      const int64_t value_tile = column * kBlockPositions + position * kStrip;
      Transpose([&](int64_t r) { return values + value_tile + r * kStrip; }, kStrip, n,
                swapped_keys + key_tile, kStrip);
      Transpose([&](int64_t r) { return keys + key_tile + r * kStrip; }, n, kStrip,
                swapped_values + value_tile, kStrip);
      for (int64_t r = 0; r < kStrip; ++r) {
        for (int64_t i = n; i < kStrip; ++i) swapped_values[value_tile + r * kStrip + i] = 0.0f;
      }
    }
  }
}

void KeyRows(const float* keys, int64_t count, int64_t d, float* rows) {
  KeysToRows(keys, d, count, d, rows);
}

void PutRows(const float* rows, int64_t count, int64_t d, float* out, int64_t stride) {
  const int64_t padded = PaddedDim(d);
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < d; i += kLanes) {
      const int lanes = static_cast<int>(d - i < kLanes ? d - i : kLanes);
      StoreN(Load(rows + r * padded + i), out + r * stride + i, lanes);
    }
  }
}

void Scale(const float* in, int64_t d, float factor, float* out) {
  for (int64_t i = 0; i < d * d; i += kLanes) {
    const int count = static_cast<int>(d * d - i < kLanes ? d * d - i : kLanes);
    StoreN(Mul(LoadN(in + i, count), Set(factor)), out + i, count);
  }
}

void TransposeState(const float* in, int64_t d, float* out) {
  Transpose([&](int64_t r) { return in + r * d; }, d, d, out, d);
}

}  // namespace

extern const LightningBackwardKernels kLightningBackwardKernels;
constinit const LightningBackwardKernels kLightningBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .swap = Swap,
    .key_rows = KeyRows,
    .value_rows = ValuesToRows,
    .to_keys = RowsToKeys,
    .to_values = RowsToValues,
    .put_rows = PutRows,
    .scale = Scale,
    .transpose = TransposeState,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
