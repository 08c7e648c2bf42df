// Split of the fused projection: q, k and v heads, QK-norm, rotary embedding, store to the KV
// block.
//
// Contract (order of HF's Ling/Ring 2.0, Qwen3 and Llama attention: norm before rotation)
//   input    qkv [(H + 2*Hk) * D] per row: all q heads, then k, then v; fp32
//   q, k     per head: RMSNorm over D with a weight shared by all heads (if given), then dimensions
//            [0, rotary_dim) rotated in pairs (i, i + rotary_dim/2)
//   outputs  q [H, D] fp32; k and v of every kv head written to slot `slot` of the row's KV block
//            (ops/kv_block.h), rounded to the block's type (INT8: with
//            a scale for each position, head, and key or value). Nothing else in the block is
//            touched.
//   rows are independent
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/context.h"
#include "ops/kv_block.h"

namespace ringlet {

struct QkvRow {
  const float* qkv = nullptr;
  float* q = nullptr;
  std::byte* block = nullptr;      // this layer's part of the row's block
  int64_t slot = 0;                // position modulo 64
  const float* cos_sin = nullptr;  // rotary_dim values (ops/rope)
};

struct QkvSplitArgs {
  int64_t heads = 0;
  KvLayout kv;
  int64_t rotary_dim = 0;
  const float* q_norm = nullptr;  // [D] or null
  const float* k_norm = nullptr;
  float eps = 1e-6f;
  std::span<const QkvRow> rows;
};

void QkvSplit(Context& context, const QkvSplitArgs& args);

// One row in float64: q [H, D], k [Hk, D], v [Hk, D]; k and v not rounded.
void QkvSplitRef(const QkvSplitArgs& args, const QkvRow& row, double* q, double* k, double* v);

}  // namespace ringlet
