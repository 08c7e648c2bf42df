#pragma once

#include "ops/kernel_tables.h"
#include "ops/kv_block.h"

namespace ringlet {

// Queries that read the same kv head: a few rows of one sequence times the heads of the group.
struct AttentionQueries {
  static constexpr int64_t kMax = 96;
  int64_t count = 0;
  const float* q[kMax];
  int64_t length[kMax];  // positions each query attends to
};

// Running softmax of each query: max, sum of exponentials and unnormalised output.
struct SoftmaxState {
  float* max;     // [count], of base-2 logarithms
  float* sum;     // [count]
  float* output;  // [count][D rounded up to 16]
};

struct AttentionKernels {
  const char* name;
  uint32_t required;
  // Blocks [begin, end) of one split, in order; the state starts empty. Queries whose length ends
  // before a block skip it; at least one position of the split must be visible to a query for its
  // state to be written (others get max -inf, sum 0, output 0).
  // scratch: AttentionScratchFloats(kv) floats.
  void (*split)(const AttentionQueries& queries, const KvLayout& kv, int64_t kv_head, float scale,
                const std::byte* const* blocks, int64_t begin, int64_t end,
                const SoftmaxState& state, float* scratch);
  // state = merge(state, part), for one query; d is rounded up to 16.
  void (*merge)(float* max, float* sum, float* output, float part_max, float part_sum,
                const float* part_output, int64_t d);
  // out = output / sum.
  void (*finish)(const float* output, float sum, float* out, int64_t d);
};

// A widened half block, scores, sums by lane, and the 16-bit codes of queries and weights.
inline int64_t AttentionScratchFloats(const KvLayout& kv) {
  const int64_t padded = kv.padded_dim();
  return kBlockPositions * padded +
         AttentionQueries::kMax * (kBlockPositions + 16 + padded / 2 + kBlockPositions / 2);
}

RINGLET_KERNEL_TABLES(AttentionKernels, kAttentionKernels, AttentionTables)

}  // namespace ringlet
