// Fixed numbers of a configuration: rotary frequencies and lightning decays, computed in double.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "ops/rope/rope.h"

namespace ringlet {

// theta^(-2i/rotary_dim) with the configured scaling (linear, YaRN, Llama 3, GGUF factors).
RopeFrequencies MakeRopeFrequencies(const RopeSpec& rope);

// log(lambda_h) = -slope_h * f_l for every head of layer `layer` (index among all layers): the
// ALiBi power-law slopes, and the configured layer factor.
std::vector<double> LogDecays(const ModelConfig& config, int64_t layer);

}  // namespace ringlet
