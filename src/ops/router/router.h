// Router: which experts a token visits, and with what weight.
//
// Contract (HF gate of the Ling/Ring 2.0 family)
//   input    logits [rows, E] fp32; bias [E] or null, used for selection only
//   score    p = sigmoid(logit) or softmax over E
//   choice   c = p + bias; the experts form `groups` runs of E/groups; a group's score is the sum
//   of
//            its two largest c (its only one if E == groups); the top_groups best groups stay, the
//            others are out (-inf, not 0); of those the top_k largest c. Ties go to the lower
//            index.
//   weight   p (without bias) of the chosen / (sum of the chosen p + 1e-20) if normalize, times
//   scale outputs  ids [rows, top_k] ascending, weights [rows, top_k] fp32 in the same order A NaN
//   logit counts as the lowest choice; its weight, should it be chosen, is NaN. Scalar code in
//   double from fp32 logits: E is small, and selection must not depend on lanes.
#pragma once

#include <cstdint>

#include "ops/context.h"

namespace ringlet {

struct RouterArgs {
  const float* logits = nullptr;
  const float* bias = nullptr;
  int64_t rows = 0;
  int64_t experts = 0;
  int64_t top_k = 0;
  int64_t groups = 1;
  int64_t top_groups = 1;
  bool softmax = false;
  bool normalize = true;
  float scale = 1.0f;
  int32_t* ids = nullptr;
  float* weights = nullptr;
};

void Router(Context& context, const RouterArgs& args);

}  // namespace ringlet
