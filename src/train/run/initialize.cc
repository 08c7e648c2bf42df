#include "train/run/initialize.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/rng.h"

namespace ringlet {
namespace {

// FNV-1a.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

void InitializeWeights(ParameterSet& parameters, uint64_t seed, float spread) {
  const auto layers = static_cast<float>(parameters.config().layers.size());
  const float residual = spread / std::sqrt(2.0f * layers);
  for (Parameter& parameter : parameters.all()) {
    if (parameter.rows == 1) {
      std::fill_n(parameter.value, parameter.size(), parameter.trained ? 1.0f : 0.0f);
      continue;
    }
    const bool writes =
        parameter.name.ends_with("attention.out") || parameter.name.ends_with("down");
    Rng rng(Hash(parameter.name) ^ Rng(seed).Next());
    for (int64_t i = 0; i < parameter.size(); ++i) {
      parameter.value[i] = (writes ? residual : spread) * static_cast<float>(rng.Normal());
    }
  }
}

}  // namespace ringlet
