// SwiGLU: y = silu(gate) * up.
//
// Contract
//   x [rows, 2n]: gate in columns [0, n), up in [n, 2n); y [rows, n]; fp32 row-major, y not x
//   silu(g) = g * sigmoid(g)
//   rows are independent; no reduction
#pragma once

#include <cstdint>

#include "ops/context.h"
#include "ops/row_source.h"

namespace ringlet {

void SwiGlu(Context& context, const float* x, int64_t rows, int64_t n, float* y);
// The same rows, computed one by one where they are used.
RowSource SwiGluRows(const IsaChoice& isa, const float* x, int64_t rows, int64_t n);
void SwiGluRef(const float* x, int64_t rows, int64_t n, double* y);

}  // namespace ringlet
