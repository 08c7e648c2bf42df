// Gradients of RmsNorm and GroupNormGate (ops/norm/norm.h).
//
// Contract, with r = 1 / sqrt(mean(x^2) + eps) of the row or group and s = sigmoid(gate)
//   RmsNorm        dx = r (dy w - x r^2 mean(x dy w));  dw = sum over rows of dy x r
//   GroupNormGate  dx = r (dy w s - x r^2 mean(x dy w s));  dgate = dy w x r s (1 - s);
//                  dw = sum over rows of dy x r s
//   inputs   the inputs of the forward operator and dy; the norm and the gate are computed again
//   outputs  dx, dgate: rows are independent. dx is overwritten, or added to with add_dx (the
//            residual stream); dx may be dy, dgate may be gate. dweight null: not wanted
//   dweight  overwritten, or added to with add_dweight; summed in the order of ops/row_sums.h
//   errors   none; n >= 1, groups divides n
// Floor: memory; x, dy, dx (gate, dgate) are touched once.
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace ringlet {

struct RmsNormBackwardArgs {
  const float* x = nullptr;       // [rows, n]
  const float* weight = nullptr;  // [n]
  const float* dy = nullptr;      // [rows, n]
  float* dx = nullptr;            // [rows, n]
  float* dweight = nullptr;       // [n] or null
  int64_t rows = 0;
  int64_t n = 0;
  float eps = 1e-6f;
  bool add_dx = false;
  bool add_dweight = false;
};
void RmsNormBackward(Context& context, const RmsNormBackwardArgs& args);
// In float64; overwrites whatever args says.
void RmsNormBackwardRef(const RmsNormBackwardArgs& args, double* dx, double* dweight);

struct GroupNormGateBackwardArgs {
  const float* x = nullptr;
  const float* gate = nullptr;
  const float* weight = nullptr;
  const float* dy = nullptr;
  float* dx = nullptr;
  float* dgate = nullptr;
  float* dweight = nullptr;  // [n] or null
  int64_t rows = 0;
  int64_t n = 0;
  int64_t groups = 1;
  float eps = 1e-6f;
  bool add_dweight = false;
};
void GroupNormGateBackward(Context& context, const GroupNormGateBackwardArgs& args);
void GroupNormGateBackwardRef(const GroupNormGateBackwardArgs& args, double* dx, double* dgate,
                              double* dweight);

}  // namespace ringlet
