// Gradients around the routed experts of a layer, whose forward form is out[row] = sum over its
// choices of weight * projected[slot], slot = row * top_k + choice.
//
// Contract
//   CombineBackward  dprojected[slot] = weights[slot] dout[row]; dweights[slot] = dout[row] .
//                    projected[slot]; dprojected may be projected. Slots are independent.
//   SumSlots         dx[row] = (or +=, with add) the sum over the row's slots upwards: the
//                    gradient of giving a row to its experts. Rows are independent.
//   all fp32, row-major, width n
// Floor: memory; slots are read and written once.
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace ringlet {

struct CombineBackwardArgs {
  const float* dout = nullptr;       // [rows, n]
  const float* projected = nullptr;  // [rows * top_k, n]
  const float* weights = nullptr;    // [rows * top_k]
  int64_t rows = 0;
  int64_t top_k = 0;
  int64_t n = 0;
  float* dprojected = nullptr;  // [rows * top_k, n]
  float* dweights = nullptr;    // [rows * top_k]
};
void CombineBackward(Context& context, const CombineBackwardArgs& args);
void CombineBackwardRef(const CombineBackwardArgs& args, double* dprojected, double* dweights);

void SumSlots(Context& context, const float* slots, int64_t rows, int64_t top_k, int64_t n,
              bool add, float* dx);

}  // namespace ringlet
