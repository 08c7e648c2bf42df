#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

struct CrossEntropyKernels {
  const char* name;
  uint32_t required;
  // The largest of n logits, and the sum of e^(logit - largest). A NaN makes the sum NaN.
  void (*block)(const float* logits, int64_t n, float* largest, float* sum);
  // logits = factor * e^(logits - lse).
  void (*gradient)(float* logits, int64_t n, float lse, float factor);
};

RINGLET_KERNEL_TABLES(CrossEntropyKernels, kCrossEntropyKernels, CrossEntropyTables)

}  // namespace ringlet
