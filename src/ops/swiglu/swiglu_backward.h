// Gradient of SwiGlu (ops/swiglu/swiglu.h).
//
// Contract
//   dup = dy silu(gate); dgate = dy up s (1 + gate (1 - s)), s = sigmoid(gate)
//   x [rows, 2n] as in the forward operator, dy [rows, n]; dx [rows, 2n]: dgate, then dup,
//   overwritten; dx may be x
//   rows are independent; no reduction
// Floor: the exponential and division; memory where that is slower.
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace ringlet {

void SwiGluBackward(Context& context, const float* x, const float* dy, int64_t rows, int64_t n,
                    float* dx);
void SwiGluBackwardRef(const float* x, const float* dy, int64_t rows, int64_t n, double* dx);

}  // namespace ringlet
