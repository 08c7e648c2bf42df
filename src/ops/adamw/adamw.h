// AdamW with decoupled weight decay on fp32 master weights, and the norm of a gradient.
//
// Contract
//   AdamW         g' = grad_scale g
//                 m  = beta1 m + (1 - beta1) g'
//                 v  = beta2 v + (1 - beta2) g'^2
//                 w  = w - lr (m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + eps) + decay w)
//   SumOfSquares  sum of g^2 over all parts, in float64; NaN and infinity come through
//   shapes        grad, weight, mean, square [n], fp32, which do not overlap; any alignment
//   order         AdamW: elements are independent, without fused multiply-adds. SumOfSquares: each
//                 part in blocks of 4,096, sixteen lanes a block, pairwise trees over the lanes and
//                 over the blocks. So both give the same bits on every processor, with any threads.
//   errors        none; step >= 1, 0 <= beta < 1
#pragma once

#include <cstdint>
#include <span>

#include "ops/context.h"

namespace ringlet {

struct AdamWArgs {
  const float* grad = nullptr;
  float* weight = nullptr;
  float* mean = nullptr;    // first moment
  float* square = nullptr;  // second moment
  int64_t n = 0;
  int64_t step = 1;  // of the moments, from 1
  double lr = 0;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double decay = 0;
  double grad_scale = 1;
};
void AdamW(Context& context, const AdamWArgs& args);
// The same in float64: reads args, writes [n] each.
void AdamWRef(const AdamWArgs& args, double* weight, double* mean, double* square);

double SumOfSquares(Context& context, std::span<const std::span<const float>> parts);
double SumOfSquaresRef(std::span<const std::span<const float>> parts);

}  // namespace ringlet
