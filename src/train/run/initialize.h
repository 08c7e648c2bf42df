// The weights a run begins with.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "train/step/parameters.h"

namespace ringlet {

// Matrices and the embedding are normal with standard deviation `spread`; those that write to the
// residual stream (out, down) are smaller by the square root of twice the number of layers, so that
// the stream's variance does not grow with depth. Norms are 1, the experts' bias is 0. A weight's
// values depend on its name and the seed alone.
void InitializeWeights(ParameterSet& parameters, uint64_t seed, float spread = 0.02f);

// Takes every weight from a model's directory or file. Errors name the tensor that is missing, has
// another shape, or is stored as packed integers.
Status LoadWeights(ParameterSet& parameters, const std::string& path);

}  // namespace ringlet
