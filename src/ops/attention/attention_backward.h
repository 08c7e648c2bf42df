// Gradient of softmax attention (ops/attention/attention.h) over whole documents, causal, GQA, with
// probabilities computed again block by block: never a matrix of positions by positions.
//
// Contract, with p_ij = e^(scale q_i . k_j - lse_i) for j <= i, 0 otherwise
//   dv_j = sum_i p_ij g_i;  ds_ij = p_ij (g_i . v_j - g_i . out_i) scale;
//   dq_i = sum_j ds_ij k_j;  dk_j = sum_i ds_ij q_i; dk and dv are sums over the q heads of a kv
//   head, too
//   feed     a whole document: documents do not see each other because each is a feed of its own
//   inputs   q, out and lse of the forward operator, keys and values where it left them (fp32 or
//            BF16 blocks; what was rounded is used rounded). Slots beyond `rows` may hold anything.
//   outputs  overwritten; fp32
//   order    fixed by the feed alone: keys in blocks of 64 upwards, for each the q heads upwards,
//   for
//            each the rows in blocks of 64 upwards. Other feeds and threads change nothing.
// Cost: 10 D flops for each q head, row and position before it (causal: half of rows^2), and 4 D
// for what lies beyond the diagonal of the blocks on it. One kv head of one feed is one task.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/kv_block.h"

namespace ringlet {

struct AttentionBackwardFeed {
  const float* q = nullptr;                  // [rows, H, D]
  const float* out = nullptr;                // [rows, H, D]
  const float* lse = nullptr;                // [rows, H]
  const float* dout = nullptr;               // [rows, H, D]
  int64_t rows = 0;                          // >= 1, positions 0 .. rows - 1
  const std::byte* const* blocks = nullptr;  // block b holds positions [64b, 64b + 64)
  float* dq = nullptr;                       // [rows, H, D]
  float* dk = nullptr;                       // [rows, Hk, D]
  float* dv = nullptr;                       // [rows, Hk, D]
};

struct AttentionBackwardArgs {
  int64_t heads = 0;
  KvLayout kv;  // kF32 or kBf16
  float scale = 1.0f;
  std::span<const AttentionBackwardFeed> feeds;
};

void AttentionBackward(Context& context, const AttentionBackwardArgs& args);

// One feed in float64, with the whole matrix; feed.out and feed.lse are not used.
void AttentionBackwardRef(const AttentionBackwardArgs& args, const AttentionBackwardFeed& feed,
                          double* dq, double* dk, double* dv);

}  // namespace ringlet
