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

// The queries that see a block, and what they make of it.
struct Tile {
  int64_t count = 0;
  int64_t visible[kMaxQueries];
  int64_t index[kMaxQueries];  // in the split's queries
  const float* q[kMaxQueries];
  const int16_t* q_codes[kMaxQueries];
  float* scores[kMaxQueries];  // [64], then the weights
  const float* weights[kMaxQueries];
  const int16_t* weight_codes[kMaxQueries];
  float factor[kMaxQueries];   // of integer sums: first of scores, then of outputs
  float rescale[kMaxQueries];  // of the older output
  float* output[kMaxQueries];
  bool whole = true;  // every query sees all 64 positions
};

// One head's part of a block.
struct HeadBlock {
  const std::byte* keys;
  const std::byte* values;
  const uint16_t* key_scales;
  const uint16_t* value_scales;
};

HeadBlock HeadOf(const KvLayout& kv, const std::byte* block, int64_t head) {
  return {block + kv.keys(head), block + kv.values(head),
          reinterpret_cast<const uint16_t*>(block + kv.key_scales(head)),
          reinterpret_cast<const uint16_t*>(block + kv.value_scales(head))};
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
float ToInt16(const float* x, int64_t d, int64_t n, float limit, int16_t* codes) {
  F32 largest = Zero();
  F32 poison = Zero();
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t rest = d - i < 0 ? 0 : d - i;
    const F32 value =
        LoadN(x + (rest > 0 ? i : 0), static_cast<int>(rest < kLanes ? rest : kLanes));
    largest = Max(largest, Max(value, Sub(Zero(), value)));
    poison = Fma(value, Zero(), poison);
  }
  const float top = ReduceMax(largest);
  const F32 inverse = Set(top >= 1e-30f ? limit / top : 0.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t rest = d - i < 0 ? 0 : d - i;
    const F32 value =
        LoadN(x + (rest > 0 ? i : 0), static_cast<int>(rest < kLanes ? rest : kLanes));
    StoreInt16(Round(Mul(value, inverse)), codes + i);
  }
  return (top >= 1e-30f ? top / limit : 0.0f) + ReduceAdd(poison);
}

// 127 * codes * D must not leave 32 bits.
float QueryLimit(int64_t d) {
  const int64_t limit = std::numeric_limits<int32_t>::max() / (127 * (d + 1));
  return static_cast<float>(limit < 32767 ? limit : 32767);
}

const float* WidenKeys(const KvLayout& kv, const std::byte* keys, float* wide) {
  if (kv.type == KvType::kF32) return reinterpret_cast<const float*>(keys);
  const auto* pairs = reinterpret_cast<const uint16_t*>(keys);
  for (int64_t i = 0; i < kv.head_dim; i += 2) {
    for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
      const Bf16Product::Pair both = Bf16Product::Read(pairs + i * kBlockPositions + 2 * j);
      Store(both.first, wide + i * kBlockPositions + j);
      if (i + 1 < kv.head_dim) Store(both.second, wide + (i + 1) * kBlockPositions + j);
    }
  }
  return wide;
}

const float* WidenValues(const KvLayout& kv, const std::byte* values, float* wide) {
  if (kv.type == KvType::kF32) return reinterpret_cast<const float*>(values);
  const auto* pairs = reinterpret_cast<const uint16_t*>(values);
  const int64_t padded = kv.padded_dim();
  for (int64_t j = 0; j < kBlockPositions; j += 2) {
    for (int64_t i = 0; i < padded; i += kLanes) {
      const Bf16Product::Pair both = Bf16Product::Read(pairs + j * padded + 2 * i);
      Store(both.first, wide + j * padded + i);
      Store(both.second, wide + (j + 1) * padded + i);
    }
  }
  return wide;
}

const int16_t* WidenCodes(const std::byte* codes, int64_t count, float* wide) {
  const auto* narrow = reinterpret_cast<const int8_t*>(codes);
  auto* out = reinterpret_cast<int16_t*>(wide);
  for (int64_t i = 0; i < count; i += 2 * kLanes) {
    StoreInt16Pairs(LoadInt8Pairs(narrow + i), out + i);
  }
  return out;
}

// What few queries fetch while they multiply: the bytes at `next`, spread over the steps.
Ahead Fetch(const std::byte* next, int64_t bytes, int64_t steps) {
  return {next, (bytes + steps - 1) / steps};
}

constexpr int64_t kStrip = (kLanes == 8 ? 2 : 4) * kLanes;

void IntScores(const KvLayout& kv, const HeadBlock& head, const Tile& tile, float log2_scale,
               const Ahead& ahead, float* wide) {
  const int64_t steps = (kv.head_dim + 1) / 2;
  const F32 scale = Set(log2_scale);
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    const F32 scaled = Mul(Mul(sum, LoadBf16(head.key_scales + column)), Set(tile.factor[r]));
    Store(Mul(scaled, scale), tile.scores[r] + column);
  };
  if (tile.count <= kFewQueries) {
    Product<Int8Product>(tile.q_codes, tile.count, steps,
                         reinterpret_cast<const int8_t*>(head.keys), 2 * kBlockPositions,
                         kBlockPositions, ahead, put);
  } else {
    Product<Int16Product>(tile.q_codes, tile.count, steps,
                          WidenCodes(head.keys, steps * 2 * kBlockPositions, wide),
                          2 * kBlockPositions, kBlockPositions, {head.keys, 0}, put);
  }
}

void FloatScores(const KvLayout& kv, const HeadBlock& head, const Tile& tile, float log2_scale,
                 const Ahead& ahead, float* wide) {
  const F32 scale = Set(log2_scale);
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    Store(Mul(sum, scale), tile.scores[r] + column);
  };
  // Pairs need an even number of terms: with odd D the last one would be another row's.
  if (kv.type == KvType::kBf16 && tile.count <= kFewQueries && kv.head_dim % 2 == 0) {
    Product<Bf16Product>(tile.q, tile.count, kv.head_dim / 2,
                         reinterpret_cast<const uint16_t*>(head.keys), 2 * kBlockPositions,
                         kBlockPositions, ahead, put);
  } else {
    Product<F32Product>(tile.q, tile.count, kv.head_dim, WidenKeys(kv, head.keys, wide),
                        kBlockPositions, kBlockPositions, {head.keys, 0}, put);
  }
}

// Turns one query's 64 scores into weights 2^(score - max), zero beyond `visible`, and updates max
// and the lanes of sum. Returns the factor of older weights.
float UpdateSoftmax(float* scores, int64_t visible, float* max, float* sum) {
  for (int64_t j = visible; j < kBlockPositions; ++j) scores[j] = kEmpty;
  F32 largest = Load(scores);
  for (int64_t j = kLanes; j < kBlockPositions; j += kLanes) {
    largest = Max(largest, Load(scores + j));
  }
  const float block_max = ReduceMax(largest);
  const float new_max = block_max > *max ? block_max : *max;
  // All scores -inf (possible with infinite inputs): subtracting would give NaN.
  const F32 shift = Set(new_max == kEmpty ? 0.0f : new_max);
  F32 total = Zero();
  for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
    const F32 e = Exp2NonPositive(Sub(Load(scores + j), shift));
    Store(e, scores + j);
    total = Add(total, e);
  }
  float rescale = 1.0f;
  if (new_max != *max) {
    float old[kLanes];
    Store(Exp2NonPositive(Set(*max - new_max)), old);
    rescale = old[0];
  }
  Store(Fma(Load(sum), Set(rescale), total), sum);
  *max = new_max;
  return rescale;
}

// Weights times values' scales as 16-bit codes.
void EncodeWeights(const HeadBlock& head, Tile& tile, const Buffers& buffers) {
  for (int64_t a = 0; a < tile.count; ++a) {
    float* weights = tile.scores[a];
    for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
      Store(Mul(Load(weights + j), LoadBf16(head.value_scales + j)), weights + j);
    }
    // Beyond the last position a scale may be anything.
    for (int64_t j = tile.visible[a]; j < kBlockPositions; ++j) weights[j] = 0.0f;
    int16_t* codes = buffers.weight_codes + a * kBlockPositions;
    tile.factor[a] = ToInt16(weights, kBlockPositions, kBlockPositions, 32767.0f, codes);
    tile.weight_codes[a] = codes;
  }
}

void IntOutputs(const KvLayout& kv, const HeadBlock& head, const Tile& tile, const Ahead& ahead,
                float* wide) {
  const int64_t padded = kv.padded_dim();
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    float* output = tile.output[r] + column;
    Store(Fma(Load(output), Set(tile.rescale[r]), Mul(sum, Set(tile.factor[r]))), output);
  };
  if (tile.count <= kFewQueries) {
    Product<Int8Product>(tile.weight_codes, tile.count, kBlockPositions / 2,
                         reinterpret_cast<const int8_t*>(head.values), 2 * padded, padded, ahead,
                         put);
  } else {
    Product<Int16Product>(tile.weight_codes, tile.count, kBlockPositions / 2,
                          WidenCodes(head.values, kBlockPositions * padded, wide), 2 * padded,
                          padded, {head.values, 0}, put);
  }
}

void FloatOutputs(const KvLayout& kv, const HeadBlock& head, const Tile& tile, const Ahead& ahead,
                  float* wide) {
  const int64_t padded = kv.padded_dim();
  int64_t first = 0;
  const auto put = [&](int64_t r, int64_t column, F32 sum) {
    float* output = tile.output[first + r] + column;
    Store(Fma(Load(output), Set(tile.rescale[first + r]), sum), output);
  };
  if (kv.type == KvType::kBf16 && tile.count <= kFewQueries && tile.whole) {
    return Product<Bf16Product>(tile.weights, tile.count, kBlockPositions / 2,
                                reinterpret_cast<const uint16_t*>(head.values), 2 * padded, padded,
                                ahead, put);
  }
  const float* values = WidenValues(kv, head.values, wide);
  // Queries with the same number of positions together: later values may be NaN, which a weight of
  // zero would not hide.
  for (int64_t end = 0; first < tile.count; first = end) {
    while (end < tile.count && tile.visible[end] == tile.visible[first]) ++end;
    Product<F32Product>(tile.weights + first, end - first, tile.visible[first], values, padded,
                        padded, {head.values, 0}, put);
  }
}

// The queries whose length reaches into the block that begins at `position`.
void Gather(const AttentionQueries& queries, int64_t position, Tile& tile) {
  tile.count = 0;
  tile.whole = true;
  for (int64_t i = 0; i < queries.count; ++i) {
    const int64_t rest = queries.length[i] - position;
    if (rest <= 0) continue;
    tile.index[tile.count] = i;
    tile.visible[tile.count] = rest < kBlockPositions ? rest : kBlockPositions;
    tile.whole = tile.whole && rest >= kBlockPositions;
    ++tile.count;
  }
}

void Split(const AttentionQueries& queries, const KvLayout& kv, int64_t kv_head, float scale,
           const std::byte* const* blocks, int64_t begin, int64_t end, const SoftmaxState& state,
           float* scratch) {
  const int64_t d = kv.head_dim;
  const int64_t padded = kv.padded_dim();
  const bool integer = kv.type == KvType::kInt8;
  const Buffers buffers = Divide(scratch, kv);
  const float log2_scale = scale * kLog2E;
  float q_factor[kMaxQueries];
  for (int64_t i = 0; i < queries.count; ++i) {
    state.max[i] = kEmpty;
    for (int64_t lane = 0; lane < kLanes; ++lane) buffers.sums[i * kLanes + lane] = 0.0f;
    for (int64_t c = 0; c < padded; ++c) state.output[i * padded + c] = 0.0f;
    if (!integer) continue;
    q_factor[i] = ToInt16(queries.q[i], d, padded, QueryLimit(d), buffers.q_codes + i * padded);
  }
  const int64_t key_steps = (d + 1) / 2 * (kBlockPositions / kStrip);
  const int64_t value_steps = kBlockPositions / 2 * ((padded + kStrip - 1) / kStrip);
  Tile tile;
  for (int64_t b = begin; b < end; ++b) {
    Gather(queries, b * kBlockPositions, tile);
    if (tile.count == 0) break;
    const HeadBlock head = HeadOf(kv, blocks[b], kv_head);
    for (int64_t a = 0; a < tile.count; ++a) {
      const int64_t i = tile.index[a];
      tile.q[a] = queries.q[i];
      tile.q_codes[a] = buffers.q_codes + i * padded;
      tile.factor[a] = integer ? q_factor[i] : 1.0f;
      tile.scores[a] = buffers.scores + a * kBlockPositions;
      tile.weights[a] = tile.scores[a];
      tile.output[a] = state.output + i * padded;
    }
    const std::byte* next = blocks[b + 1 < end ? b + 1 : b] + kv.key_scales(kv_head);
    const Ahead values_ahead =
        Fetch(blocks[b] + kv.value_scales(kv_head), kv.value_bytes() + kv.scale_bytes(), key_steps);
    const Ahead keys_ahead = Fetch(next, kv.key_bytes() + kv.scale_bytes(), value_steps);
    (integer ? IntScores : FloatScores)(kv, head, tile, log2_scale, values_ahead, buffers.wide);
    for (int64_t a = 0; a < tile.count; ++a) {
      const int64_t i = tile.index[a];
      tile.rescale[a] =
          UpdateSoftmax(tile.scores[a], tile.visible[a], state.max + i, buffers.sums + i * kLanes);
    }
    if (integer) EncodeWeights(head, tile, buffers);
    (integer ? IntOutputs : FloatOutputs)(kv, head, tile, keys_ahead, buffers.wide);
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
