// Gradient of QkvSplit (ops/qkv/qkv.h): of q, k and v heads to the fused projection.
//
// Contract
//   q, k     rotated back (the transposed rotation), then the RMSNorm's gradient where there is a
//            weight; v is copied. The rounding of k and v to the block's type counts as the
//            identity.
//   inputs   the forward operator's qkv and cos_sin, rows contiguous; norms are computed again
//   outputs  dqkv [rows, (H + 2 Hk) D] overwritten, rows independent; dq_norm, dk_norm [D]
//            overwritten, or added to with add_weights, summed over heads upwards, then over rows
//            in the order of ops/row_sums.h. Null where there is no norm or it is not wanted.
// Floor: memory; qkv, the three gradients and dqkv are touched once.
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace ringlet {

struct QkvBackwardArgs {
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t rotary_dim = 0;
  const float* q_norm = nullptr;  // [D] or null
  const float* k_norm = nullptr;
  float eps = 1e-6f;
  int64_t rows = 0;
  const float* qkv = nullptr;      // [rows, (H + 2 Hk) D]
  const float* cos_sin = nullptr;  // [rows, rotary_dim]
  const float* dq = nullptr;       // [rows, H, D]
  const float* dk = nullptr;       // [rows, Hk, D]
  const float* dv = nullptr;       // [rows, Hk, D]
  float* dqkv = nullptr;
  float* dq_norm = nullptr;
  float* dk_norm = nullptr;
  bool add_weights = false;

  int64_t width() const { return (heads + 2 * kv_heads) * head_dim; }
};

void QkvBackward(Context& context, const QkvBackwardArgs& args);

// In float64; dq_norm and dk_norm are overwritten, and zero without a norm.
void QkvBackwardRef(const QkvBackwardArgs& args, double* dqkv, double* dq_norm, double* dk_norm);

}  // namespace ringlet
