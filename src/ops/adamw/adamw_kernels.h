#pragma once

#include "ops/kernel_tables.h"

namespace ringlet {

// What every element of a step shares, rounded to fp32 once.
struct AdamWFactors {
  float grad_scale;
  float beta1;
  float rest1;  // 1 - beta1
  float beta2;
  float rest2;
  float rate;  // lr / (1 - beta1^step)
  float root;  // 1 / sqrt(1 - beta2^step)
  float eps;
  float decay;  // lr * decay
};

inline constexpr int64_t kSquaresBlock = 4096;

struct AdamWKernels {
  const char* name;
  uint32_t required;
  void (*step)(const AdamWFactors& factors, const float* grad, float* weight, float* mean,
               float* square, int64_t n);
  // Of at most kSquaresBlock values.
  double (*squares)(const float* x, int64_t n);
};

RINGLET_KERNEL_TABLES(AdamWKernels, kAdamWKernels, AdamWTables)

}  // namespace ringlet
