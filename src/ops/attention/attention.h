// Softmax attention of single rows over paged keys and values (GQA), causal by construction.
//
// Contract
//   row      one token: q [H, D] fp32, attending to positions [0, length) of its sequence
//   blocks   block b of `blocks` holds positions [64b, 64b + 64) of this layer (ops/kv_block.h); a
//            row's own key and value are already stored. Slots at and beyond `length` are not read
//            as numbers that matter: they may hold anything, NaN included.
//   formula  o_h = sum_j softmax_j(scale * q_h . k_j) v_j, kv head floor(h * Hk / H)
//   order    online softmax over blocks of 64 within splits of 1,024 positions; splits are merged
//            in order. Neither depends on other rows, on chunking or on threads.
//   output   [H, D] fp32, overwritten
// Cost: 4 * D * length flops per head; decode reads each K and V byte once per kv head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/kv_block.h"

namespace ringlet {

inline constexpr int64_t kSplitBlocks = 16;

struct AttentionRow {
  const float* q = nullptr;
  float* out = nullptr;
  const std::byte* const* blocks = nullptr;
  int64_t length = 0;  // >= 1
  float* lse =
      nullptr;  // [H]: log of the sum of e^(scale * q_h . k_j), for the backward pass, or null
};

struct AttentionArgs {
  int64_t heads = 0;
  KvLayout kv;
  float scale = 1.0f;
  // Rows with the same `blocks` pointer that stand next to each other share the reading of K and V.
  std::span<const AttentionRow> rows;
};

void Attention(Context& context, const AttentionArgs& args);

// One row in float64 from the same blocks.
void AttentionRef(const AttentionArgs& args, const AttentionRow& row, double* out);

}  // namespace ringlet
