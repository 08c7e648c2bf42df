// Attention kernels, compiled once per instruction set. All queries of a task share the reading of
// a block of K and V; scores and outputs are both small matrix products with the result along the
// lanes.
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

#include "ops/simd/matmul.inl.h"

#include "ops/simd/widen.inl.h"

constexpr float kEmpty = -std::numeric_limits<float>::infinity();

void ScaleVector(float* x, float factor, int64_t n) {
  const F32 f = Set(factor);
  for (int64_t i = 0; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    StoreN(Mul(LoadN(x + i, count), f), x + i, count);
  }
}

// Turns one query's 64 scores into exponentials, of which the first `visible` count, and updates
// max and sum. Returns the factor that older output must be multiplied with.
float UpdateSoftmax(float* scores, int64_t visible, float scale, float* max, float* sum) {
  for (int64_t j = visible; j < kBlockPositions; ++j) scores[j] = kEmpty;
  F32 largest = Set(kEmpty);
  const F32 factor = Set(scale);
  for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
    const F32 scaled = Mul(Load(scores + j), factor);
    Store(scaled, scores + j);
    largest = Max(largest, scaled);
  }
  const float block_max = ReduceMax(largest);
  // Not std::max: a NaN score must reach the output.
  const float new_max = block_max > *max || block_max != block_max ? block_max : *max;
  // All scores -inf (possible with infinite inputs): subtracting would give NaN.
  const float shift = new_max == kEmpty ? 0.0f : new_max;
  F32 total = Zero();
  for (int64_t j = 0; j < kBlockPositions; j += kLanes) {
    const F32 e = Exp(Sub(Load(scores + j), Set(shift)));
    Store(e, scores + j);
    total = Add(total, e);
  }
  float old[kLanes];
  Store(Exp(Set(*max - shift)), old);
  const float rescale = *max == kEmpty ? 0.0f : old[0];
  *sum = *sum * rescale + ReduceAdd(total);
  *max = new_max;
  return rescale;
}

void Split(const AttentionQueries& queries, const KvLayout& kv, int64_t kv_head, float scale,
           const std::byte* const* blocks, int64_t begin, int64_t end, const SoftmaxState& state,
           float* scratch) {
  const int64_t d = kv.head_dim;
  float* wide_keys = scratch;
  float* wide_values = wide_keys + kBlockPositions * d;
  float* scores = wide_values + kBlockPositions * d;
  for (int64_t i = 0; i < queries.count; ++i) {
    state.max[i] = kEmpty;
    state.sum[i] = 0.0f;
    for (int64_t c = 0; c < d; ++c) state.output[i * d + c] = 0.0f;
  }
  for (int64_t b = begin; b < end; ++b) {
    const float* q[AttentionQueries::kMax];
    float* s[AttentionQueries::kMax];
    const float* p[AttentionQueries::kMax];
    float* o[AttentionQueries::kMax];
    int64_t visible[AttentionQueries::kMax];
    int64_t index[AttentionQueries::kMax];
    int64_t active = 0;
    for (int64_t i = 0; i < queries.count; ++i) {
      const int64_t rest = queries.length[i] - b * kBlockPositions;
      if (rest <= 0) continue;
      index[active] = i;
      visible[active] = rest < kBlockPositions ? rest : kBlockPositions;
      q[active] = queries.q[i];
      s[active] = scores + active * kBlockPositions;
      p[active] = s[active];
      o[active] = state.output + i * d;
      ++active;
    }
    if (active == 0) break;
    const std::byte* keys = blocks[b] + kv.keys(kv_head);
    WithHalf(kv.type, keys, kBlockPositions * d, active, wide_keys, [&](const auto* w) {
      MatMulAdd(q, active, d, w, kBlockPositions, kBlockPositions, s, false);
    });
    for (int64_t a = 0; a < active; ++a) {
      const int64_t i = index[a];
      const float rescale = UpdateSoftmax(s[a], visible[a], scale, state.max + i, state.sum + i);
      if (b != begin) ScaleVector(o[a], rescale, d);
    }
    const std::byte* values = blocks[b] + kv.values(kv_head);
    WithHalf(kv.type, values, kBlockPositions * d, active, wide_values,
             [&](const auto* w) { MatMulAddRagged(p, active, visible, w, d, d, o, true); });
  }
}

void Merge(float* max, float* sum, float* output, float part_max, float part_sum,
           const float* part_output, int64_t d) {
  const float new_max = part_max > *max || part_max != part_max ? part_max : *max;
  const float shift = new_max == kEmpty ? 0.0f : new_max;
  float factors[2][kLanes];
  Store(Exp(Set(*max - shift)), factors[0]);
  Store(Exp(Set(part_max - shift)), factors[1]);
  const F32 old_factor = Set(factors[0][0]);
  const F32 part_factor = Set(factors[1][0]);
  *sum = *sum * factors[0][0] + part_sum * factors[1][0];
  *max = new_max;
  for (int64_t i = 0; i < d; i += kLanes) {
    const int count = static_cast<int>(d - i < kLanes ? d - i : kLanes);
    const F32 part = Mul(LoadN(part_output + i, count), part_factor);
    StoreN(Fma(LoadN(output + i, count), old_factor, part), output + i, count);
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
