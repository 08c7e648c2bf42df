// Lightning attention kernels, compiled once per instruction set.
#include <bit>
#include <cmath>

#include "ops/lightning/lightning_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/simd/matmul.inl.h"

// y = x * factor, n values.
RINGLET_INLINE void Scaled(const float* x, float factor, int64_t n, float* y) {
  const F32 f = Set(factor);
  for (int64_t i = 0; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    StoreN(Mul(LoadN(x + i, count), f), y + i, count);
  }
}

void Rows(const LightningChunk& chunk, float* scratch) {
  const int64_t d = chunk.d;
  float* scores = scratch;
  float* decayed = scores + kBlockPositions * kBlockPositions;
  const float* q[kBlockPositions];
  float* s[kBlockPositions];
  const float* p[kBlockPositions];
  const float* decayed_q[kBlockPositions];
  float* out[kBlockPositions];
  int64_t terms[kBlockPositions];
  for (int64_t r = 0; r < chunk.rows; ++r) {
    q[r] = chunk.q + r * chunk.stride;
    s[r] = scores + r * kBlockPositions;
    p[r] = s[r];
    decayed_q[r] = decayed + r * d;
    out[r] = chunk.out + r * chunk.stride;
    terms[r] = chunk.first_slot + r + 1;
  }
  const auto* keys = reinterpret_cast<const float*>(chunk.keys);
  MatMulAdd(q, chunk.rows, d, keys, kBlockPositions, kBlockPositions, s, false);
  for (int64_t r = 0; r < chunk.rows; ++r) {
    const int64_t slot = chunk.first_slot + r;
    for (int64_t j = 0; j <= slot; ++j) s[r][j] *= chunk.powers[slot - j];
    Scaled(q[r], chunk.powers[slot + 1], d, decayed + r * d);
  }
  const auto* values = reinterpret_cast<const float*>(chunk.values);
  MatMulAddRagged(p, chunk.rows, terms, values, chunk.value_stride, d, out, false);
  if (chunk.state != nullptr) {
    MatMulAdd(decayed_q, chunk.rows, d, chunk.state, d, d, out, true);
  }
  for (int64_t r = 0; r < chunk.rows; ++r) Scaled(out[r], chunk.scale, d, out[r]);
}

void Fold(const LightningChunk& chunk, float* next, float* scratch) {
  const int64_t d = chunk.d;
  float* decayed_keys = scratch;
  const auto* keys = reinterpret_cast<const float*>(chunk.keys);
  float decay[kBlockPositions];
  for (int64_t j = 0; j < kBlockPositions; ++j) {
    decay[j] = chunk.powers[kBlockPositions - 1 - j];
  }
  for (int64_t i = 0; i < kBlockPositions * d; i += kLanes) {
    Store(Mul(Load(keys + i), Load(decay + i % kBlockPositions)), decayed_keys + i);
  }
  for (int64_t i = 0; i < d; ++i) {
    if (chunk.state != nullptr) {
      Scaled(chunk.state + i * d, chunk.powers[kBlockPositions], d, next + i * d);
    } else {
      for (int64_t c = 0; c < d; ++c) next[i * d + c] = 0.0f;
    }
  }
  const auto* values = reinterpret_cast<const float*>(chunk.values);
  constexpr int64_t kRows = 48;
  for (int64_t i = 0; i < d; i += kRows) {
    const int64_t count = d - i < kRows ? d - i : kRows;
    const float* x[kRows];
    float* c[kRows];
    for (int64_t r = 0; r < count; ++r) {
      x[r] = decayed_keys + (i + r) * kBlockPositions;
      c[r] = next + (i + r) * d;
    }
    MatMulAdd(x, count, kBlockPositions, values, chunk.value_stride, d, c, true);
  }
}

}  // namespace

extern const LightningKernels kLightningKernels;
constinit const LightningKernels kLightningKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .rows = Rows,
    .fold = Fold,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
