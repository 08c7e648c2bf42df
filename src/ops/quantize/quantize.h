// Choosing 4-bit codes and the step of each group of a row of weights.
//
// Contract
//   x [n] fp32 in units of the row's scale grid: |x| <= 7 * kStepTop * 1.01
//   weight [n] fp32, not negative, or null for 1
//   steps [n / group]: whole numbers, 1 to kStepTop in magnitude, of either sign
//   codes [n]: -8..7
//   x is about steps[g] * codes. Of 32 steps around the largest magnitude, half of them
//   least-squares fits to the codes of the other half, each group takes the one with the smallest
//   sum of weight * (x - step * code)^2; all codes 0 with step 1 if none is better than that. group
//   is a multiple of 16. The same bits for every instruction set.
#pragma once

#include <cstdint>

#include "ops/isa.h"

namespace ringlet {

inline constexpr float kStepTop = 127.0f;

struct FitInt4Args {
  const float* x = nullptr;
  const float* weight = nullptr;
  int64_t n = 0;
  int64_t group = 0;
  int8_t* codes = nullptr;
  float* steps = nullptr;
};

void FitInt4(const IsaChoice& isa, const FitInt4Args& args);

// The least sum of weight * (x - step * code)^2 over every step of either sign and every code,
// group by group, by trying them all.
void FitInt4Ref(const FitInt4Args& args, double* errors);

}  // namespace ringlet
