// Gradient of attention, compiled once per instruction set. A block of 64 keys stays in the caches
// while the rows that see it pass in blocks of 64: five products for each.
#include <bit>
#include <cmath>

#include "ops/attention/attention_backward_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/simd/product.inl.h"

#include "ops/simd/transpose.inl.h"

#include "ops/simd/kv_rows.inl.h"

constexpr float kLog2E = 1.44269504088896341f;
constexpr int64_t kBlock = kBlockPositions;

// Vectors whose last lanes may lie beyond column d.
RINGLET_INLINE F32 LoadBefore(const float* row, int64_t column, int64_t d) {
  const int64_t rest = d - column;
  if (rest >= kLanes) return Load(row + column);
  return rest > 0 ? LoadN(row + column, static_cast<int>(rest)) : Zero();
}
RINGLET_INLINE void StoreBefore(F32 value, float* row, int64_t column, int64_t d) {
  const int64_t rest = d - column;
  if (rest >= kLanes) return Store(value, row + column);
  if (rest > 0) StoreN(value, row + column, static_cast<int>(rest));
}

struct Buffers {
  float* keys;         // [4][D][16]: a product's weights for scores
  float* key_rows;     // [64][R]
  float* value_keys;   // values laid out as keys
  float* wide;         // values as the block has them, widened
  float* dk;           // [64][R]
  float* dv;           // [64][R]
  float* q;            // [64][R]
  float* dout;         // [64][R]
  float* p;            // [row][position]
  float* ds;           // [row][position]
  float* p_positions;  // [position][row]
  float* ds_positions;
};

Buffers Divide(float* scratch, const KvLayout& kv) {
  const int64_t half = kBlock * (kv.padded_dim() + 2);
  Buffers buffers{};
  float** const halves[] = {&buffers.keys, &buffers.key_rows, &buffers.value_keys, &buffers.wide,
                            &buffers.dk,   &buffers.dv,       &buffers.q,          &buffers.dout};
  for (float** part : halves) {
    *part = scratch;
    scratch += half;
  }
  float** const squares[] = {&buffers.p, &buffers.ds, &buffers.p_positions, &buffers.ds_positions};
  for (float** part : squares) {
    *part = scratch;
    scratch += kBlock * kBlock;
  }
  return buffers;
}

// Pairs of BF16 rows of a strip, [terms / 2][16][2], as fp32 [terms][16].
void WidenHalf(const std::byte* half, int64_t terms, int64_t columns, float* wide) {
  const auto* pairs = reinterpret_cast<const uint16_t*>(half);
  for (int64_t i = 0; i < terms * columns; i += 2 * kStripColumns) {
    for (int64_t c = 0; c < kStripColumns; c += kLanes) {
      const Bf16Product::Pair both = Bf16Product::Read(pairs + i + 2 * c);
      Store(both.first, wide + i + c);
      Store(both.second, wide + i + kStripColumns + c);
    }
  }
}

// Keys of a block as [4][terms][16] and as rows; values laid out as keys are. With an odd D, BF16
// keys have a term of zeros in addition.
struct KeyLayout {
  const float* keys;
  int64_t terms;
};
KeyLayout UnpackBlock(const AttentionGradient& g, const std::byte* block, int64_t count,
                      const Buffers& buffers) {
  const KvLayout& kv = *g.kv;
  const auto* keys = reinterpret_cast<const float*>(block + kv.keys(g.kv_head));
  const auto* values = reinterpret_cast<const float*>(block + kv.values(g.kv_head));
  const int64_t terms = kv.key_terms();
  if (kv.type == KvType::kBf16) {
    WidenHalf(block + kv.keys(g.kv_head), terms, kBlock, buffers.keys);
    WidenHalf(block + kv.values(g.kv_head), kBlock, kv.padded_dim(), buffers.wide);
    keys = buffers.keys;
    values = buffers.wide;
  }
  KeysToRows(keys, terms, count, g.d, buffers.key_rows);
  for (int64_t position = 0; position < count; position += kStripColumns) {
    for (int64_t column = 0; column < g.d; column += kStripColumns) {
      const int64_t n = g.d - column < kStripColumns ? g.d - column : kStripColumns;
      const float* tile = values + column * kBlock + position * kStripColumns;
      Transpose([&](int64_t r) { return tile + r * kStripColumns; }, kStripColumns, n,
                buffers.value_keys + position * g.d + column * kStripColumns, kStripColumns);
    }
  }
  return {keys, terms};
}

// Rows [first, first + count) of one q head against one block of keys.
struct Tile {
  const float* q;
  const float* dout;
  float* dq;
  int64_t stride;
  int64_t count;
  int64_t visible[kBlock];  // positions of the block that a row sees
  int64_t positions;        // that any row sees
};

// p, ds and their transposes.
void Probabilities(const AttentionGradient& g, const Tile& tile, const KeyLayout& keys,
                   const float* lse, const float* delta, const Buffers& buffers) {
  const float* q[kBlock];
  const float* dout[kBlock];
  for (int64_t r = 0; r < tile.count; ++r) {
    q[r] = tile.q + r * tile.stride;
    dout[r] = tile.dout + r * tile.stride;
  }
  const int64_t columns = PaddedDim(tile.positions);
  const FromZero<F32Product> zero;
  Product<F32Product>(q, {tile.count, g.d, columns, nullptr, tile.visible},
                      {keys.keys, kStripColumns, keys.terms * kStripColumns}, {}, zero,
                      [&](int64_t r, int64_t column, F32 sum) {
                        const F32 shift = Set(-lse[r * g.heads] * kLog2E);
                        const F32 p = Exp2NonPositive(Fma(sum, Set(g.scale * kLog2E), shift));
                        Store(p, buffers.p + r * kBlock + column);
                      });
  // Positions a row does not see have no probability; their keys may be anything.
  for (int64_t r = 0; r < tile.count; ++r) {
    for (int64_t j = tile.visible[r]; j < columns; ++j) buffers.p[r * kBlock + j] = 0.0f;
  }
  Product<F32Product>(dout, {tile.count, g.d, columns, nullptr, tile.visible},
                      {buffers.value_keys, kStripColumns, g.d * kStripColumns}, {}, zero,
                      [&](int64_t r, int64_t column, F32 sum) {
                        const F32 p = Mul(Load(buffers.p + r * kBlock + column), Set(g.scale));
                        Store(Mul(p, Sub(sum, Set(delta[r * g.heads]))),
                              buffers.ds + r * kBlock + column);
                      });
  for (int64_t r = 0; r < tile.count; ++r) {
    for (int64_t j = tile.visible[r]; j < columns; ++j) buffers.ds[r * kBlock + j] = 0.0f;
  }
  Transpose([&](int64_t r) { return buffers.p + r * kBlock; }, tile.count, tile.positions,
            buffers.p_positions, kBlock);
  Transpose([&](int64_t r) { return buffers.ds + r * kBlock; }, tile.count, tile.positions,
            buffers.ds_positions, kBlock);
}

// out[r] = or += sum over i of x[r][i] w[i], for rows of R floats or (the last) of g.d.
RINGLET_INLINE void AddProduct(const float* x, int64_t rows, int64_t steps,
                               const int64_t* row_steps, const float* w, int64_t padded, bool add,
                               float* out, int64_t stride, int64_t d) {
  const float* pointers[kBlock];
  for (int64_t r = 0; r < rows; ++r) pointers[r] = x + r * kBlock;
  Product<F32Product>(
      pointers, {rows, steps, padded, row_steps, nullptr}, {w, padded, kStripColumns}, {},
      [&](int64_t r, int64_t column) {
        return add ? LoadBefore(out + r * stride, column, d) : Zero();
      },
      [&](int64_t r, int64_t column, F32 sum) { StoreBefore(sum, out + r * stride, column, d); });
}

void HeadGradient(const AttentionGradient& g, float* scratch) {
  const int64_t padded = g.kv->padded_dim();
  const int64_t kv_stride = g.kv->kv_heads * g.d;
  const Buffers buffers = Divide(scratch, *g.kv);
  for (int64_t begin = 0; begin < g.rows; begin += kBlock) {
    const int64_t count = g.rows - begin < kBlock ? g.rows - begin : kBlock;
    const KeyLayout keys = UnpackBlock(g, g.blocks[begin / kBlock], count, buffers);
    bool first = true;
    for (int64_t h = 0; h < g.group; ++h) {
      for (int64_t row = begin; row < g.rows; row += kBlock) {
        Tile tile;
        tile.stride = g.heads * g.d;
        const int64_t at = row * tile.stride + h * g.d;
        tile.q = g.q + at;
        tile.dout = g.dout + at;
        tile.dq = g.dq + at;
        tile.count = g.rows - row < kBlock ? g.rows - row : kBlock;
        tile.positions = count;
        for (int64_t r = 0; r < tile.count; ++r) {
          tile.visible[r] = row + r - begin + 1 < count ? row + r - begin + 1 : count;
        }
        Probabilities(g, tile, keys, g.lse + row * g.heads + h, g.delta + row * g.heads + h,
                      buffers);
        AddProduct(buffers.ds, tile.count, count, tile.visible, buffers.key_rows, padded, begin > 0,
                   tile.dq, tile.stride, g.d);
        PadRows(tile.q, tile.stride, tile.count, g.d, buffers.q);
        PadRows(tile.dout, tile.stride, tile.count, g.d, buffers.dout);
        AddProduct(buffers.ds_positions, count, tile.count, nullptr, buffers.q, padded, !first,
                   buffers.dk, padded, padded);
        AddProduct(buffers.p_positions, count, tile.count, nullptr, buffers.dout, padded, !first,
                   buffers.dv, padded, padded);
        first = false;
      }
    }
    for (int64_t j = 0; j < count; ++j) {
      const int64_t to = (begin + j) * kv_stride;
      for (int64_t c = 0; c < g.d; c += kLanes) {
        StoreBefore(Load(buffers.dk + j * padded + c), g.dk + to, c, g.d);
        StoreBefore(Load(buffers.dv + j * padded + c), g.dv + to, c, g.d);
      }
    }
  }
}

void Delta(const float* dout, const float* out, int64_t heads, int64_t d, float* delta) {
  for (int64_t h = 0; h < heads; ++h) {
    F32 sum = Zero();
    for (int64_t i = 0; i < d; i += kLanes) {
      sum = Fma(LoadBefore(dout + h * d, i, d), LoadBefore(out + h * d, i, d), sum);
    }
    delta[h] = ReduceAdd(sum);
  }
}

}  // namespace

extern const AttentionBackwardKernels kAttentionBackwardKernels;
constinit const AttentionBackwardKernels kAttentionBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .delta = Delta,
    .head = HeadGradient,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
