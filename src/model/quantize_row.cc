#include "model/quantize_row.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/scale_grid.h"
#include "ops/quantize/quantize.h"

namespace ringlet {
namespace {

constexpr float kInt8Top = 127.0f;
constexpr float kRounder = 0x1.8p23f;  // adding it rounds small numbers to integers

float Round(float x) { return (x + kRounder) - kRounder; }

}  // namespace

void QuantizeInt4Row(const IsaChoice& isa, std::span<const float> x,
                     std::span<const float> importance, int64_t group, int8_t* codes,
                     bf16_t* scales) {
  float largest = 0;
  for (const float value : x) largest = std::max(largest, std::fabs(value));
  // The step at which the largest value has code 7.
  const float unit = GridUnit(largest / 7.0f);
  const float inverse_unit = 1.0f / unit;
  // In grid units squares neither overflow nor vanish.
  std::vector<float> values(x.size());
  std::ranges::transform(x, values.begin(), [&](float value) { return value * inverse_unit; });
  std::vector<float> steps(x.size() / static_cast<size_t>(group));
  FitInt4(isa, {.x = values.data(),
                .weight = importance.empty() ? nullptr : importance.data(),
                .n = std::ssize(x),
                .group = group,
                .codes = codes,
                .steps = steps.data()});
  std::ranges::transform(steps, scales, [&](float step) { return FloatToBf16(step * unit); });
}

void QuantizeInt8Row(std::span<const float> x, int64_t group, int8_t* codes, bf16_t* scales) {
  for (int64_t first = 0; first < std::ssize(x); first += group) {
    float largest = 0;
    for (int64_t i = 0; i < group; ++i) {
      largest = std::max(largest, std::fabs(x[static_cast<size_t>(first + i)]));
    }
    const bf16_t stored = FloatToBf16(std::max(largest / kInt8Top, 0x1p-100f));
    const float inverse = 1.0f / Bf16ToFloat(stored);
    scales[first / group] = stored;
    for (int64_t i = 0; i < group; ++i) {
      const float code = Round(x[static_cast<size_t>(first + i)] * inverse);
      codes[first + i] = static_cast<int8_t>(std::clamp(code, -kInt8Top, kInt8Top));
    }
  }
}

}  // namespace ringlet
