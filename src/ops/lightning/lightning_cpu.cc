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

#include "ops/simd/product.inl.h"

constexpr int64_t kFoldRows = 48;

// Vectors whose last lanes may lie beyond column d.
RINGLET_INLINE int LanesBefore(int64_t column, int64_t d) {
  const int64_t rest = d - column;
  return static_cast<int>(rest < 0 ? 0 : rest < kLanes ? rest : kLanes);
}
RINGLET_INLINE F32 LoadBefore(const float* row, int64_t column, int64_t d) {
  return column + kLanes <= d ? Load(row + column) : LoadN(row + column, LanesBefore(column, d));
}
RINGLET_INLINE void StoreBefore(F32 value, float* row, int64_t column, int64_t d) {
  if (column + kLanes <= d) return Store(value, row + column);
  StoreN(value, row + column, LanesBefore(column, d));
}

// One strip of the state, [D][16], its columns from D on zero.
void CopyStrip(const float* state, int64_t d, int64_t column, float* strip) {
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t c = 0; c < kStripColumns; c += kLanes) {
      Store(LoadBefore(state + i * d, column + c, d), strip + i * kStripColumns + c);
    }
  }
}

// out = scale * lambda^(slot + 1) * q S, for all rows.
void StateOutputs(const LightningChunk& chunk, const float* const* q, float* const* out,
                  float* strip) {
  const int64_t d = chunk.d;
  int64_t first = 0;
  const FromZero<F32Product> start;
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    const float factor = chunk.scale * chunk.powers[chunk.first_slot + r + 1];
    StoreBefore(Mul(sum, Set(factor)), out[r], first + column, d);
  };
  if (chunk.rows == 1 && d % kStripColumns == 0) {
    // The state where it lies, in wide pieces: many independent sums, nearly in order of memory.
    return Product<F32Product, 1, 8>(q, {1, d, d}, {chunk.state, d, kStripColumns}, {}, start, put);
  }
  for (; first < d; first += kStripColumns) {
    CopyStrip(chunk.state, d, first, strip);
    const Extent extent{chunk.rows, d, kStripColumns};
    Product<F32Product>(q, extent, {strip, kStripColumns, 0}, {}, start, put);
  }
}

void Rows(const LightningChunk& chunk, float* scratch) {
  const int64_t d = chunk.d;
  const int64_t padded = (d + kStripColumns - 1) / kStripColumns * kStripColumns;
  float* scores = scratch;
  float* strip = scores + kBlockPositions * kBlockPositions;
  const float* q[kBlockPositions];
  float* s[kBlockPositions];
  float* out[kBlockPositions];
  int64_t terms[kBlockPositions];
  // powers_to[j] = scale * lambda^(63 - j): a row's decays lie in order of position.
  float powers_to[2 * kBlockPositions] = {};
  for (int64_t j = 0; j < kBlockPositions; ++j) {
    powers_to[j] = chunk.scale * chunk.powers[kBlockPositions - 1 - j];
  }
  for (int64_t r = 0; r < chunk.rows; ++r) {
    q[r] = chunk.q + r * chunk.stride;
    s[r] = scores + r * kBlockPositions;
    out[r] = chunk.out + r * chunk.stride;
    terms[r] = chunk.first_slot + r + 1;
  }
  const int64_t visible = terms[chunk.rows - 1];
  const FromZero<F32Product> zero;
  // Scores of later positions are put but never used.
  Product<F32Product>(
      q,
      {chunk.rows, d, (visible + kStripColumns - 1) / kStripColumns * kStripColumns, nullptr,
       terms},
      {reinterpret_cast<const float*>(chunk.keys), kStripColumns, d * kStripColumns}, {}, zero,
      [&](int64_t r, int64_t column, F32 sum) {
        const F32 decay = Load(powers_to + column + kBlockPositions - terms[r]);
        Store(Mul(sum, decay), s[r] + column);
      });
  if (chunk.state != nullptr) StateOutputs(chunk, q, out, strip);
  Product<F32Product>(
      s, {chunk.rows, visible, padded, terms, nullptr},
      {reinterpret_cast<const float*>(chunk.values), kStripColumns,
       kBlockPositions * kStripColumns},
      {},
      [&](int64_t r, int64_t column) {
        return chunk.state == nullptr ? Zero() : LoadBefore(out[r], column, d);
      },
      [&](int64_t r, int64_t column, F32 sum) { StoreBefore(sum, out[r], column, d); });
}

// next = lambda^64 S + sum over j of lambda^(63 - j) k_j v_j^T.
void Fold(const LightningChunk& chunk, float* next, float* scratch) {
  const int64_t d = chunk.d;
  const int64_t padded = (d + kStripColumns - 1) / kStripColumns * kStripColumns;
  float* decayed_keys = scratch;  // [D][64]
  const auto* keys = reinterpret_cast<const float*>(chunk.keys);
  float decay[kBlockPositions];
  for (int64_t j = 0; j < kBlockPositions; ++j) {
    decay[j] = chunk.powers[kBlockPositions - 1 - j];
  }
  for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
    const float* strip = keys + j / kStripColumns * d * kStripColumns + j % kStripColumns;
    for (int64_t i = 0; i < d; ++i) {
      Store(Mul(Load(strip + i * kStripColumns), Load(decay + j)),
            decayed_keys + i * kBlockPositions + j);
    }
  }
  const F32 carried = Set(chunk.powers[kBlockPositions]);
  const float* x[kFoldRows];
  for (int64_t first = 0; first < d; first += kFoldRows) {
    const int64_t count = d - first < kFoldRows ? d - first : kFoldRows;
    for (int64_t r = 0; r < count; ++r) x[r] = decayed_keys + (first + r) * kBlockPositions;
    Product<F32Product>(
        x, {count, kBlockPositions, padded},
        {reinterpret_cast<const float*>(chunk.values), kStripColumns,
         kBlockPositions * kStripColumns},
        {},
        [&](int64_t r, int64_t column) {
          if (chunk.state == nullptr) return Zero();
          return Mul(LoadBefore(chunk.state + (first + r) * d, column, d), carried);
        },
        [&](int64_t r, int64_t column, F32 sum) {
          StoreBefore(sum, next + (first + r) * d, column, d);
        });
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
