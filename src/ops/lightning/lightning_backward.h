// Gradient of Lightning (ops/lightning/lightning.h): exact, by chunks, in memory of one chunk and
// one state for each thread.
//
// Contract, with g the gradient of the outputs and dS_t that of the state after row t
//   dq_t = scale S_t g_t;  dS_t = scale q_t g_t^T + lambda dS_{t+1};  dk_t = dS_t v_t;
//   dv_t = dS_t^T k_t;  the gradient of the state before the first row is lambda dS_0
//   feed     a whole document, or a part of it that begins at a multiple of 64: documents do not
//            see each other because each is a feed of its own
//   inputs   q as the forward operator got it, keys and values where it left them; nothing else is
//            saved: states are computed again, forwards for dq, backwards for dk and dv
//   outputs  overwritten; fp32
//   order    fixed by the feed alone: other feeds and threads change nothing. (dk and dv depend on
//            all later rows of the feed, as they must.)
//   decay    lambda is fixed: no gradient; with last_gradient it must be at least e^-80
// Cost per row and head: 10 D^2 + 12 D (slot + 1) flops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ops/lightning/lightning.h"

namespace ringlet {

struct LightningBackwardFeed {
  const float* q = nullptr;                  // [rows, H, D]
  const float* dout = nullptr;               // [rows, H, D]
  int64_t rows = 0;                          // >= 1
  const std::byte* const* chunks = nullptr;  // row i in slot i % 64 of chunks[i / 64]
  const float* anchor = nullptr;             // [H, D, D] before row 0; null: zero
  const float* last_gradient = nullptr;      // of the state after the last row; null: zero
  float* dq = nullptr;                       // [rows, H, D]
  float* dk = nullptr;                       // [rows, H, D]
  float* dv = nullptr;                       // [rows, H, D]
  float* danchor = nullptr;                  // [H, D, D]; null: not wanted
};

struct LightningBackwardArgs {
  KvLayout kv;  // kF32, kv_heads = H
  float scale = 1.0f;
  const DecayTable* decay = nullptr;
  std::span<const LightningBackwardFeed> feeds;
};

void LightningBackward(Context& context, const LightningBackwardArgs& args);

// One feed by the plain recurrences in float64; danchor [H, D, D] is always written.
void LightningBackwardRef(const LightningBackwardArgs& args, const LightningBackwardFeed& feed,
                          std::span<const double> log_lambda, double* dq, double* dk, double* dv,
                          double* danchor);

}  // namespace ringlet
