// Gradient of Router (ops/router/router.h): from the weights of the chosen experts to the logits.
//
// Contract
//   the choice is a constant: experts that were not chosen get a gradient only through the softmax,
//   and the bias, which the choice alone sees, gets none
//   sigmoid  p = sigmoid(logit); with normalize w_i = scale p_i / Z, Z = sum of the chosen p +
//            1e-20: dp_i = scale / Z (dw_i - sum_j dw_j p_j / Z); dlogit = dp p (1 - p)
//   softmax  dp as above; dlogit_e = p_e (dp_e - sum of dp p)
//   z loss   plus the gradient of z_loss * lse(logits)^2 for each row
//   dlogits [rows, E] overwritten, rows independent; scalar code in double, like the forward
//   operator
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace ringlet {

struct RouterBackwardArgs {
  const float* logits = nullptr;    // [rows, E]
  const int32_t* ids = nullptr;     // [rows, top_k], as Router chose
  const float* dweights = nullptr;  // [rows, top_k]
  int64_t rows = 0;
  int64_t experts = 0;
  int64_t top_k = 0;
  bool softmax = false;
  bool normalize = true;
  float scale = 1.0f;
  double z_loss = 0.0;
  float* dlogits = nullptr;
};

void RouterBackward(Context& context, const RouterBackwardArgs& args);

}  // namespace ringlet
