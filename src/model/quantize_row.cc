#include "model/quantize_row.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "model/scale_grid.h"

namespace ringlet {
namespace {

constexpr float kRounder = 0x1.8p23f;  // adding it rounds small numbers to integers
constexpr int kFactors = 20;           // scales tried per group
constexpr float kFirstFactor = 0.62f;
constexpr float kLastFactor = 1.1f;
constexpr float kInt8Top = 127.0f;
constexpr int64_t kMaxGroup = 128;

float Round(float x) { return (x + kRounder) - kRounder; }

// The nearest step of the grid, never 0: codes are found by dividing by it.
float GridStep(float scale) {
  const float step = std::clamp(Round(scale), -kGridTop, kGridTop);
  return step == 0 ? 1.0f : step;
}

float Code(float x, float inverse_scale) {
  return std::min(std::max(Round(x * inverse_scale), -8.0f), 7.0f);
}

struct Fit {
  float xq = 0;  // weighted sum of x * code
  float qq = 0;  // weighted sum of code^2
  // Squared error less the constant sum of x^2.
  float Error(float scale) const { return scale * (scale * qq - 2 * xq); }
};

// Eight partial sums, so that the loop becomes vector code without reordering additions.
Fit FitCodes(const float* x, const float* weight, int64_t group, float inverse_scale) {
  std::array<float, 8> xq{};
  std::array<float, 8> qq{};
  for (int64_t i = 0; i < group; i += 8) {
    for (size_t j = 0; j < 8; ++j) {
      const auto at = static_cast<size_t>(i) + j;
      const float code = Code(x[at], inverse_scale);
      const float weighted = weight[at] * code;
      xq[j] += weighted * x[at];
      qq[j] += weighted * code;
    }
  }
  Fit fit;
  for (size_t j = 0; j < 8; ++j) {
    fit.xq += xq[j];
    fit.qq += qq[j];
  }
  return fit;
}

// The best scale of one group of values; both in grid units.
float BestStep(const float* x, const float* weight, int64_t group) {
  const float* extreme =
      std::max_element(x, x + group, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  const float base = *extreme / -8.0f;
  float best_step = 1.0f;
  float best_error = 0;  // that of all codes 0
  for (int i = 0; i < kFactors; ++i) {
    const float factor = kFirstFactor + (kLastFactor - kFirstFactor) * static_cast<float>(i) /
                                            static_cast<float>(kFactors - 1);
    const float step = GridStep(base * factor);
    const Fit fit = FitCodes(x, weight, group, 1.0f / step);
    const float refit = fit.qq > 0 ? GridStep(fit.xq / fit.qq) : step;
    for (const float candidate : {step, refit}) {
      const float error = fit.Error(candidate);
      if (error < best_error) {
        best_error = error;
        best_step = candidate;
      }
    }
  }
  return best_step;
}

}  // namespace

void QuantizeInt4Row(std::span<const float> x, std::span<const float> importance, int64_t group,
                     int8_t* codes, bf16_t* scales) {
  RINGLET_CHECK(group % 8 == 0 && group <= kMaxGroup, "group size");
  std::array<float, kMaxGroup> ones;
  ones.fill(1.0f);
  float largest = 0;
  for (const float value : x) largest = std::max(largest, std::fabs(value));
  // Scales are at most kLastFactor / 8 < 1 / 7 of the largest value.
  const float unit = GridUnit(largest / 7.0f);
  const float inverse_unit = 1.0f / unit;
  std::array<float, kMaxGroup> values;
  for (int64_t first = 0; first < std::ssize(x); first += group) {
    // In grid units squares neither overflow nor vanish.
    for (int64_t i = 0; i < group; ++i) {
      values[static_cast<size_t>(i)] = x[static_cast<size_t>(first + i)] * inverse_unit;
    }
    const float* weight = importance.empty() ? ones.data() : importance.data() + first;
    const float step = BestStep(values.data(), weight, group);
    scales[first / group] = FloatToBf16(step * unit);
    for (int64_t i = 0; i < group; ++i) {
      codes[first + i] = static_cast<int8_t>(Code(values[static_cast<size_t>(i)], 1.0f / step));
    }
  }
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
