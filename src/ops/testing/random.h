// Random test data.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"

namespace ringlet::testing {

inline std::vector<float> NormalFloats(Rng* rng, int64_t count, double scale = 1.0) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng->Normal() * scale);
  return values;
}

// Uniform integer in [low, high].
inline int64_t Between(Rng* rng, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(rng->Below(static_cast<uint64_t>(high - low + 1)));
}

}  // namespace ringlet::testing
