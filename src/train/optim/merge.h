// Merging checkpoints of a run at a constant learning rate, which stands for a decay of that rate
// ("warm-up, stable, merge").
//
// With weights theta_0 .. theta_n of the same run, the changes g_j between theta_(j-1) and theta_j
// are what a decay would have scaled: sum c_j theta_j = theta_0 + sum w_j g_j for
//   c_0 = 1 - w_1,  c_j = w_j - w_(j+1),  c_n = w_n,  1 >= w_1 >= ... >= w_n >= 0.
// The wanted w_j of n changes are DecayCurve(shape, j / (n + 1)); for the linear decay that is the
// plain mean of the n + 1 weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "train/config/run_config.h"

namespace ringlet {

// c_0 .. c_(count-1): not negative, with sum 1. count >= 1.
std::vector<double> MergeCoefficients(DecayShape shape, int64_t count);

// out = sum c_j sources_j, in float64 in the order of the sources, rounded once. `out` may be one
// of the sources; all have its size.
void MergeWeights(ThreadPool& pool, std::span<const std::span<const float>> sources,
                  std::span<const double> coefficients, std::span<float> out);

}  // namespace ringlet
