#include "model/scale_grid.h"

#include <algorithm>
#include <cmath>

namespace ringlet {
namespace {

constexpr int kLeastExponent = -100;
constexpr float kRounder = 0x1.8p23f;  // adding it rounds small numbers to integers

}  // namespace

float GridUnit(float largest) {
  int exponent = 0;
  // largest / 127 = fraction * 2^exponent with fraction in [0.5, 1).
  const double fraction = std::frexp(static_cast<double>(largest) / kGridTop, &exponent);
  if (fraction == 0.5) --exponent;
  return std::ldexp(1.0f, std::max(exponent, kLeastExponent));
}

float ExactGridUnit(std::span<const float> scales) {
  float largest = 0;
  for (const float scale : scales) largest = std::max(largest, std::fabs(scale));
  if (!std::isfinite(largest)) return 0;
  const float unit = GridUnit(largest);
  const float inverse = 1.0f / unit;
  int inexact = 0;
  for (const float scale : scales) {
    const float steps = scale * inverse;
    inexact |= static_cast<int>(!(steps == (steps + kRounder) - kRounder));
  }
  return inexact == 0 ? unit : 0;
}

}  // namespace ringlet
