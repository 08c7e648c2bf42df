// RMSNorm, and the grouped RMSNorm with sigmoid gate of lightning layers.
//
// Contract (facts: HF modeling code of the Ling/Ring 2.0 family)
//   RmsNorm        y_i = w_i * x_i / sqrt(mean(x^2) + eps), over each row
//   GroupNormGate  z = w * x / sqrt(mean over the group (x^2) + eps) * sigmoid(gate), where the row
//                  is split into `groups` contiguous groups (a count, not a width)
//   shapes   x, y, gate [rows, n]; w [n]; all fp32 row-major; y may be x
//   order    the mean is a sum in vector lanes, then one fixed tree; rows are independent
//   ...Rows  the same rows, computed one by one where they are used; y is not read
//   errors   none; n >= 1, groups divides n
#pragma once

#include <cstdint>

#include "ops/context.h"
#include "ops/row_source.h"

namespace ringlet {

struct RmsNormArgs {
  const float* x = nullptr;
  const float* weight = nullptr;
  float* y = nullptr;
  int64_t rows = 0;
  int64_t n = 0;
  float eps = 1e-6f;
};
void RmsNorm(Context& context, const RmsNormArgs& args);
RowSource RmsNormRows(const IsaChoice& isa, const RmsNormArgs& args);
void RmsNormRef(const RmsNormArgs& args, double* y);

struct GroupNormGateArgs {
  const float* x = nullptr;
  const float* gate = nullptr;
  const float* weight = nullptr;
  float* y = nullptr;
  int64_t rows = 0;
  int64_t n = 0;
  int64_t groups = 1;
  float eps = 1e-6f;
};
void GroupNormGate(Context& context, const GroupNormGateArgs& args);
RowSource GroupNormGateRows(const IsaChoice& isa, const GroupNormGateArgs& args);
void GroupNormGateRef(const GroupNormGateArgs& args, double* y);

}  // namespace ringlet
