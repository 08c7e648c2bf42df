// Lightning attention (linear attention with a fixed decay per head) as anchor and tail.
//
// Contract
//   recurrence  S_t = lambda_h S_{t-1} + k_t v_t^T;  o_t = scale * q_t S_t  (the token's own k and
//   v
//               included, undecayed; S_{-1} = 0)
//   anchor      S just before position 64c of a sequence, [H, D, D] fp32 (row: key dimension)
//   tail        keys and values of positions 64c .. 64c+63 in one KV block (ops/kv_block.h, H
//   heads) evaluated   o = scale * ( sum_{j<=i} lambda^{i-j} (q_i.k_j) v_j + lambda^{i+1} q_i S ),
//   i the
//               row's slot in its chunk; at a chunk's end S <- lambda^64 S + sum lambda^{63-j} k_j
//               v_j^T
//   order       fixed by the slot alone: one row at a time or a whole sequence at once give the
//   same
//               bits, on any number of threads
//   powers of lambda are computed in double and rounded once to fp32
// Cost per row and head: 4 D^2 + 4 D (slot + 1) flops; decode reads the anchor once and writes it
// once in 64 tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/context.h"
#include "ops/kv_block.h"

namespace ringlet {

// lambda_h^0 .. lambda_h^64 for every head: [H][65].
struct DecayTable {
  std::vector<float> powers;

  static constexpr int64_t kStride = kBlockPositions + 1;
  const float* head(int64_t h) const { return powers.data() + h * kStride; }
};
// From log(lambda_h) <= 0.
DecayTable MakeDecayTable(std::span<const double> log_lambda);

// Consecutive rows of one sequence. Their keys and values are already stored in `chunks`.
struct LightningFeed {
  const float* q = nullptr;                  // [rows, H, D]
  float* out = nullptr;                      // [rows, H, D]
  int64_t rows = 0;                          // >= 1
  int64_t first_slot = 0;                    // slot of the first row in chunks[0], 0..63
  const std::byte* const* chunks = nullptr;  // this layer's blocks of the chunks the rows fall in
  const float* anchor = nullptr;             // before chunks[0]; null: zero
  // Receives the anchor after the last completed chunk; used only if a chunk is completed. May be
  // `anchor` itself if nobody else reads that.
  float* next_anchor = nullptr;
};

struct LightningArgs {
  KvLayout kv;  // kF32, kv_heads = H
  float scale = 1.0f;
  const DecayTable* decay = nullptr;
  std::span<const LightningFeed> feeds;
};

void Lightning(Context& context, const LightningArgs& args);

// One feed by the plain recurrence in float64: out [rows, H, D], state [H, D, D] after the last
// row.
void LightningRef(const LightningArgs& args, const LightningFeed& feed,
                  std::span<const double> log_lambda, double* out, double* state);

}  // namespace ringlet
