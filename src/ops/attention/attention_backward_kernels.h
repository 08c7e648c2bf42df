#pragma once

#include "ops/kernel_tables.h"
#include "ops/kv_block.h"

namespace ringlet {

// One kv head of one document.
struct AttentionGradient {
  const float* q;     // of the group's first q head, row 0; rows q_stride apart, heads d apart
  const float* dout;  // the same
  float* dq;
  const float* lse;    // of the group's first q head; rows heads apart
  const float* delta;  // g_i . out_i, the same
  int64_t heads;       // of all groups
  int64_t group;       // q heads of this kv head
  int64_t rows;
  int64_t d;
  float scale;
  const KvLayout* kv;
  int64_t kv_head;
  const std::byte* const* blocks;
  float* dk;  // row 0; rows kv_heads * d apart
  float* dv;
};

struct AttentionBackwardKernels {
  const char* name;
  uint32_t required;
  // delta[h] = dout_h . out_h for every head of a row.
  void (*delta)(const float* dout, const float* out, int64_t heads, int64_t d, float* delta);
  // scratch: AttentionBackwardFloats(kv).
  void (*head)(const AttentionGradient& gradient, float* scratch);
};

// Keys and values each in both directions, dk, dv, a block of q and of dout; probabilities and
// their gradients, each in both directions.
inline int64_t AttentionBackwardFloats(const KvLayout& kv) {
  return kBlockPositions * (8 * (kv.padded_dim() + 2) + 4 * kBlockPositions);
}

RINGLET_KERNEL_TABLES(AttentionBackwardKernels, kAttentionBackwardKernels, AttentionBackwardTables)

}  // namespace ringlet
