#include "ops/rope/rope.h"

#include <cmath>

#include "base/check.h"

namespace ringlet {

void RopeAngles(const RopeFrequencies& frequencies, int64_t position, std::span<float> cos_sin) {
  const size_t half = frequencies.inv_freq.size();
  RINGLET_CHECK(cos_sin.size() == 2 * half, "cos_sin holds rotary_dim values");
  for (size_t i = 0; i < half; ++i) {
    const double angle = static_cast<double>(position) * frequencies.inv_freq[i];
    cos_sin[i] = static_cast<float>(std::cos(angle) * frequencies.scale);
    cos_sin[half + i] = static_cast<float>(std::sin(angle) * frequencies.scale);
  }
}

}  // namespace ringlet
