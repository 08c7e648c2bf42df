// Balancing experts without an auxiliary loss: biases that only the router's choice sees follow the
// load that it caused.
//
// With load n_i of expert i and violation e_i = mean(n) - n_i (positive: chosen too rarely)
//   sign           b_i += rate (sign(e_i) - mean(sign(e)))
//   proportional   b_i += rate e_i / mean(n)
// Both leave the mean of the biases where it is, and loads are exact counts, so the result depends
// on the counts alone.
#pragma once

#include <cstdint>
#include <span>

#include "train/config/run_config.h"

namespace ringlet {

struct LoadStats {
  int64_t total = 0;
  double cv = 0;             // standard deviation over mean
  double max_over_mean = 0;  // 1: perfect balance
  int64_t idle = 0;          // experts that nobody chose
};
// Of the choices of one layer. Without any choice: zeros.
LoadStats MeasureLoad(std::span<const int64_t> counts);

// No change without any choice, and with rule kOff.
void UpdateExpertBias(std::span<const int64_t> counts, BalanceRule rule, double rate,
                      std::span<float> bias);

}  // namespace ringlet
