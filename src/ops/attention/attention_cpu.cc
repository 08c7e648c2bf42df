// Attention kernels, compiled once per instruction set. All queries of a task share the reading of
// a block of K and V; scores and outputs are both small products with the result along the lanes.
//
// A block of one head's keys and values passes four steps: scores (base-2 logarithms), running
// maximum and weights, values' sums, and their merging into the running output. fp32 and BF16 keys
// and values are multiplied in fp32. INT8 ones are multiplied as integers: queries, and a block's
// weights times the values' scales, become 16-bit integers relative to their largest element, and
// the sums are exact.
#include <bit>
#include <cmath>
#include <limits>

#include "ops/attention/attention_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/simd/product.inl.h"

constexpr float kEmpty = -std::numeric_limits<float>::infinity();
constexpr float kLog2E = 1.44269504088896341f;
constexpr int64_t kMaxQueries = AttentionQueries::kMax;
// Up to this many queries, narrow keys and values are widened as they are read.
constexpr int64_t kFewQueries = 8;
// How far ahead they fetch: less than what fits the first cache, more than memory takes to answer.
constexpr int64_t kAheadBytes = 4096;

// The queries that see a block, and what they make of it.
struct Tile {
  int64_t count = 0;
  bool whole = false;            // every query sees all 64 positions
  int64_t visible[kMaxQueries];  // positions of the block
  int64_t index[kMaxQueries];    // in the split's queries
  const float* q[kMaxQueries];
  const int16_t* q_codes[kMaxQueries];
  float q_factor[kMaxQueries];  // of sums to scores
  float* scores[kMaxQueries];   // [64], then the weights
  int16_t* weight_codes[kMaxQueries];
  float weight_factor[kMaxQueries];  // of integer sums to outputs
  float rescale[kMaxQueries];        // of the older output
  float* output[kMaxQueries];
};

// One head's part of a block, and that of the next block.
struct HeadBlock {
  const std::byte* keys;
  const std::byte* values;
  const uint16_t* key_scales;
  const uint16_t* value_scales;
  const std::byte* end;
  const std::byte* next;
};

HeadBlock HeadOf(const KvLayout& kv, const std::byte* block, const std::byte* next, int64_t head) {
  return {block + kv.keys(head),
          block + kv.values(head),
          reinterpret_cast<const uint16_t*>(block + kv.key_scales(head)),
          reinterpret_cast<const uint16_t*>(block + kv.value_scales(head)),
          block + kv.key_scales(head) + kv.head_bytes(),
          next + kv.key_scales(head)};
}

// Scratch of a split.
struct Buffers {
  float* wide;  // keys or values of a block, widened
  float* scores;
  float* sums;  // [queries][kLanes]
  int16_t* q_codes;
  int16_t* weight_codes;
};

Buffers Divide(float* scratch, const KvLayout& kv) {
  const int64_t padded = kv.padded_dim();
  Buffers buffers;
  buffers.wide = scratch;
  buffers.scores = buffers.wide + kBlockPositions * padded;
  buffers.sums = buffers.scores + kMaxQueries * kBlockPositions;
  buffers.q_codes = reinterpret_cast<int16_t*>(buffers.sums + kMaxQueries * 16);
  buffers.weight_codes = buffers.q_codes + kMaxQueries * padded;
  return buffers;
}

// Codes and factor with x[i] = factor * codes[i], |codes| <= limit. NaN and infinity make the
// factor NaN; vectors with no element of 1e-30 or more become zeros. n counts whole vectors.
float ToInt16(const float* x, int64_t n, float limit, int16_t* codes) {
  F32 largest = Zero();
  F32 poison = Zero();
  for (int64_t i = 0; i < n; i += kLanes) {
    const F32 value = Load(x + i);
    largest = Max(largest, Max(value, Sub(Zero(), value)));
    poison = Fma(value, Zero(), poison);
  }
  const float top = ReduceMax(largest);
  const F32 inverse = Set(top >= 1e-30f ? limit / top : 0.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    StoreInt16(Round(Mul(Load(x + i), inverse)), codes + i);
  }
  return (top >= 1e-30f ? top / limit : 0.0f) + ReduceAdd(poison);
}

// A query as codes: [R], zeros from D on. Their products with 8-bit codes must stay in 32 bits.
float EncodeQuery(const float* q, int64_t d, int64_t padded, float* wide, int16_t* codes) {
  for (int64_t i = 0; i < padded; ++i) wide[i] = i < d ? q[i] : 0.0f;
  const int64_t limit = std::numeric_limits<int32_t>::max() / (127 * (d + 1));
  return ToInt16(wide, padded, static_cast<float>(limit < 32767 ? limit : 32767), codes);
}

// Keys or values in fp32, each pair of rows of a strip one after the other.
Weights<float> Widen(const KvLayout& kv, const std::byte* half, int64_t terms, int64_t columns,
                     float* wide) {
  const Weights<float> weights{wide, kStripColumns, terms * kStripColumns};
  if (kv.type == KvType::kF32) {
    return {reinterpret_cast<const float*>(half), weights.step, weights.strip};
  }
  const auto* pairs = reinterpret_cast<const uint16_t*>(half);
  for (int64_t i = 0; i < terms * columns; i += 2 * kStripColumns) {
    for (int64_t c = 0; c < kStripColumns; c += kLanes) {
      const Bf16Product::Pair both = Bf16Product::Read(pairs + i + 2 * c);
      Store(both.first, wide + i + c);
      Store(both.second, wide + i + kStripColumns + c);
    }
  }
  return weights;
}

// Narrow keys or values where they lie, `terms` to a strip.
template <class W>
Weights<W> Narrow(const std::byte* half, int64_t terms) {
  return {reinterpret_cast<const W*>(half), 2 * kStripColumns, terms * kStripColumns};
}

Weights<int16_t> WidenCodes(const std::byte* half, int64_t terms, int64_t columns, float* wide) {
  const auto* narrow = reinterpret_cast<const int8_t*>(half);
  auto* out = reinterpret_cast<int16_t*>(wide);
  for (int64_t i = 0; i < terms * columns; i += 2 * kLanes) {
    StoreInt16Pairs(LoadInt8Pairs(narrow + i), out + i);
  }
  return {out, 2 * kStripColumns, terms * kStripColumns};
}

// Few queries read narrow keys and values in order and fetch a little ahead; many widen each half
// of a block at once, and fetch the next half while they multiply.
Ahead Fetch(const KvLayout& kv, const HeadBlock& head, const Tile& tile, const std::byte* half,
            int64_t terms, int64_t half_bytes) {
  const int64_t strip_bytes = terms * kStripColumns * KvElementBytes(kv.type);
  return {half, head.end, head.next, tile.count <= kFewQueries ? kAheadBytes : half_bytes,
          strip_bytes};
}

void IntScores(const KvLayout& kv, const HeadBlock& head, const Tile& tile, float* wide) {
  const int64_t terms = kv.key_terms();
  const Ahead ahead = Fetch(kv, head, tile, head.keys, terms, kv.key_bytes());
  const Extent extent{tile.count, terms / 2, kBlockPositions, nullptr, tile.visible};
  const FromZero<Int16Product> start;
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    const F32 scale = Mul(LoadBf16(head.key_scales + column), Set(tile.q_factor[r]));
    Store(Mul(sum, scale), tile.scores[r] + column);
  };
  if (tile.count <= kFewQueries) {
    Product<Int8Product>(tile.q_codes, extent, Narrow<int8_t>(head.keys, terms), ahead, start, put);
  } else {
    Product<Int16Product>(tile.q_codes, extent, WidenCodes(head.keys, terms, kBlockPositions, wide),
                          ahead, start, put);
  }
}

void FloatScores(const KvLayout& kv, const HeadBlock& head, const Tile& tile, float* wide) {
  const int64_t terms = kv.key_terms();
  const Ahead ahead = Fetch(kv, head, tile, head.keys, terms, kv.key_bytes());
  Extent extent{tile.count, kv.head_dim, kBlockPositions, nullptr, tile.visible};
  const FromZero<F32Product> start;
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    Store(Mul(sum, Set(tile.q_factor[r])), tile.scores[r] + column);
  };
  // Pairs need an even number of terms: with odd D the last one would be another row's.
  if (kv.type == KvType::kBf16 && tile.count <= kFewQueries && kv.head_dim % 2 == 0) {
    extent.steps = terms / 2;
    Product<Bf16Product>(tile.q, extent, Narrow<uint16_t>(head.keys, terms), ahead, start, put);
  } else {
    Product<F32Product>(tile.q, extent, Widen(kv, head.keys, terms, kBlockPositions, wide), ahead,
                        start, put);
  }
}

// Turns scores into weights 2^(score - max), zero beyond `visible`; updates each query's max and
// the lanes of its sum, and says by how much older weights shrink. All queries pass a step before
// the next: the chains of one alone are longer than its arithmetic.
void UpdateSoftmax(Tile& tile, float* max, float* sums) {
  alignas(64) float shrink[kMaxQueries];
  float shift[kMaxQueries];
  for (int64_t a = 0; a < tile.count; ++a) {
    float* scores = tile.scores[a];
    for (int64_t j = tile.visible[a]; j < kBlockPositions; ++j) scores[j] = kEmpty;
    F32 largest = Load(scores);
    for (int64_t j = kLanes; j < kBlockPositions; j += kLanes) {
      largest = Max(largest, Load(scores + j));
    }
    const float block_max = ReduceMax(largest);
    float& query_max = max[tile.index[a]];
    const float old_max = query_max;
    query_max = block_max > old_max ? block_max : old_max;
    // All scores -inf (possible with infinite inputs): subtracting would give NaN.
    shift[a] = query_max == kEmpty ? 0.0f : query_max;
    shrink[a] = old_max - shift[a];
  }
  for (int64_t a = tile.count; a % kLanes != 0; ++a) shrink[a] = 0.0f;
  for (int64_t a = 0; a < tile.count; a += kLanes) {
    Store(Exp2NonPositive(Load(shrink + a)), tile.rescale + a);
  }
  for (int64_t a = 0; a < tile.count; ++a) {
    const F32 subtrahend = Set(shift[a]);
    F32 total = Zero();
    for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
      const F32 e = Exp2NonPositive(Sub(Load(tile.scores[a] + j), subtrahend));
      Store(e, tile.scores[a] + j);
      total = Add(total, e);
    }
    float* sum = sums + tile.index[a] * kLanes;
    Store(Fma(Load(sum), Set(tile.rescale[a]), total), sum);
  }
}

// Weights times values' scales as 16-bit codes.
void EncodeWeights(const HeadBlock& head, Tile& tile) {
  for (int64_t a = 0; a < tile.count; ++a) {
    float* weights = tile.scores[a];
    for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
      Store(Mul(Load(weights + j), LoadBf16(head.value_scales + j)), weights + j);
    }
    // Beyond the last position a scale may be anything.
    for (int64_t j = tile.visible[a]; j < kBlockPositions; ++j) weights[j] = 0.0f;
    tile.weight_factor[a] = ToInt16(weights, kBlockPositions, 32767.0f, tile.weight_codes[a]);
  }
}

void IntOutputs(const KvLayout& kv, const HeadBlock& head, const Tile& tile, float* wide) {
  const int64_t padded = kv.padded_dim();
  const Ahead ahead = Fetch(kv, head, tile, head.values, kBlockPositions, kv.value_bytes());
  const Extent extent{tile.count, kBlockPositions / 2, padded};
  const FromZero<Int16Product> start;
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    float* output = tile.output[r] + column;
    Store(Fma(Load(output), Set(tile.rescale[r]), Mul(sum, Set(tile.weight_factor[r]))), output);
  };
  if (tile.count <= kFewQueries) {
    Product<Int8Product>(tile.weight_codes, extent, Narrow<int8_t>(head.values, kBlockPositions),
                         ahead, start, put);
  } else {
    Product<Int16Product>(tile.weight_codes, extent,
                          WidenCodes(head.values, kBlockPositions, padded, wide), ahead, start,
                          put);
  }
}

void FloatOutputs(const KvLayout& kv, const HeadBlock& head, const Tile& tile, float* wide) {
  const int64_t padded = kv.padded_dim();
  const Ahead ahead = Fetch(kv, head, tile, head.values, kBlockPositions, kv.value_bytes());
  Extent extent{tile.count, kBlockPositions, padded};
  const FromZero<F32Product> start;
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    float* output = tile.output[r] + column;
    Store(Fma(Load(output), Set(tile.rescale[r]), sum), output);
  };
  if (kv.type == KvType::kBf16 && tile.count <= kFewQueries && tile.whole) {
    extent.steps = kBlockPositions / 2;
    return Product<Bf16Product>(tile.scores, extent, Narrow<uint16_t>(head.values, kBlockPositions),
                                ahead, start, put);
  }
  // Later values may be NaN, which a weight of zero would not hide.
  if (!tile.whole) extent.row_steps = tile.visible;
  Product<F32Product>(tile.scores, extent, Widen(kv, head.values, kBlockPositions, padded, wide),
                      ahead, start, put);
}

// The queries whose length reaches into the block that begins at `position`.
void Gather(const AttentionQueries& queries, int64_t position, const float* q_factor,
            const Buffers& buffers, const SoftmaxState& state, int64_t padded, Tile& tile) {
  tile.count = 0;
  tile.whole = true;
  for (int64_t i = 0; i < queries.count; ++i) {
    const int64_t rest = queries.length[i] - position;
    if (rest <= 0) continue;
    const int64_t a = tile.count++;
    tile.index[a] = i;
    tile.visible[a] = rest < kBlockPositions ? rest : kBlockPositions;
    tile.whole = tile.whole && rest >= kBlockPositions;
    tile.q[a] = queries.q[i];
    tile.q_codes[a] = buffers.q_codes + i * padded;
    tile.q_factor[a] = q_factor[i];
    tile.scores[a] = buffers.scores + a * kBlockPositions;
    tile.weight_codes[a] = buffers.weight_codes + a * kBlockPositions;
    tile.output[a] = state.output + i * padded;
  }
}

// An empty state, and what the queries are multiplied with.
void Begin(const AttentionQueries& queries, const KvLayout& kv, float scale, const Buffers& buffers,
           const SoftmaxState& state, float* q_factor) {
  const int64_t padded = kv.padded_dim();
  for (int64_t i = 0; i < queries.count; ++i) {
    state.max[i] = kEmpty;
    for (int64_t lane = 0; lane < kLanes; ++lane) buffers.sums[i * kLanes + lane] = 0.0f;
    for (int64_t c = 0; c < padded; ++c) state.output[i * padded + c] = 0.0f;
    q_factor[i] = scale * kLog2E;
    if (kv.type != KvType::kInt8) continue;
    q_factor[i] *=
        EncodeQuery(queries.q[i], kv.head_dim, padded, buffers.wide, buffers.q_codes + i * padded);
  }
}

void Split(const AttentionQueries& queries, const KvLayout& kv, int64_t kv_head, float scale,
           const std::byte* const* blocks, int64_t begin, int64_t end, const SoftmaxState& state,
           float* scratch) {
  const int64_t padded = kv.padded_dim();
  const bool integer = kv.type == KvType::kInt8;
  const Buffers buffers = Divide(scratch, kv);
  float q_factor[kMaxQueries];
  Begin(queries, kv, scale, buffers, state, q_factor);
  int64_t shortest = queries.length[0];
  for (int64_t i = 1; i < queries.count; ++i) {
    shortest = queries.length[i] < shortest ? queries.length[i] : shortest;
  }
  Tile tile;
  for (int64_t b = begin; b < end; ++b) {
    // Blocks that all queries see are all the same to them.
    if (b == begin || (b + 1) * kBlockPositions > shortest) {
      Gather(queries, b * kBlockPositions, q_factor, buffers, state, padded, tile);
    }
    if (tile.count == 0) break;
    const HeadBlock head = HeadOf(kv, blocks[b], blocks[b + 1 < end ? b + 1 : b], kv_head);
    (integer ? IntScores : FloatScores)(kv, head, tile, buffers.wide);
    UpdateSoftmax(tile, state.max, buffers.sums);
    if (integer) EncodeWeights(head, tile);
    (integer ? IntOutputs : FloatOutputs)(kv, head, tile, buffers.wide);
  }
  for (int64_t i = 0; i < queries.count; ++i) {
    state.sum[i] = ReduceAdd(Load(buffers.sums + i * kLanes));
  }
}

void Merge(float* max, float* sum, float* output, float part_max, float part_sum,
           const float* part_output, int64_t n) {
  const float new_max = part_max > *max ? part_max : *max;
  const float shift = new_max == kEmpty ? 0.0f : new_max;
  float factors[2][kLanes];
  Store(Exp2NonPositive(Set(*max - shift)), factors[0]);
  Store(Exp2NonPositive(Set(part_max - shift)), factors[1]);
  const F32 old_factor = Set(factors[0][0]);
  const F32 part_factor = Set(factors[1][0]);
  *sum = *sum * factors[0][0] + part_sum * factors[1][0];
  *max = new_max;
  for (int64_t i = 0; i < n; i += kLanes) {
    const F32 part = Mul(Load(part_output + i), part_factor);
    Store(Fma(Load(output + i), old_factor, part), output + i);
  }
}

void Finish(const float* output, float sum, float* out, int64_t d) {
  const F32 total = Set(sum);
  for (int64_t i = 0; i < d; i += kLanes) {
    const int count = static_cast<int>(d - i < kLanes ? d - i : kLanes);
    StoreN(Div(LoadN(output + i, count), total), out + i, count);
  }
}

}  // namespace

extern const AttentionKernels kAttentionKernels;
constinit const AttentionKernels kAttentionKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .split = Split,
    .merge = Merge,
    .finish = Finish,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
