// Gradients held against finite differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace ringlet::testing {

// sum of a[i] * b[i]: the scalar whose gradient with respect to b's inputs is checked.
inline double Inner(std::span<const float> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Passes when `gradient` agrees with central differences of `loss()`, a float64 function of `input`
// without kinks near it, to 1e-6 of the element or of a thousandth of the largest one. Fourth
// order: with steps of 2^-9 and inputs near 1 the differences themselves are good to about 1e-9.
template <typename Loss>
::testing::AssertionResult MatchesDifferences(std::span<float> input,
                                              std::span<const double> gradient, const Loss& loss) {
  if (input.size() != gradient.size()) return ::testing::AssertionFailure() << "sizes differ";
  std::vector<double> want;
  double largest = 0;
  for (float& value : input) {
    const float old = value;
    // A multiple of the step's last place, so that all five points are exact.
    const float at = std::round(old * 0x1p13f) * 0x1p-13f;
    if (at != old) return ::testing::AssertionFailure() << "round the inputs to 2^-13 first";
    const auto shifted = [&](double step) {
      value = static_cast<float>(at + step);
      return loss();
    };
    constexpr double kStep = 0x1p-9;
    const double near = shifted(kStep) - shifted(-kStep);
    const double far = shifted(2 * kStep) - shifted(-2 * kStep);
    value = old;
    want.push_back((8 * near - far) / (12 * kStep));
    largest = std::max(largest, std::abs(want.back()));
  }
  if (!(largest > 0)) return ::testing::AssertionFailure() << "the loss does not depend on it";
  for (size_t i = 0; i < want.size(); ++i) {
    const double bound = 1e-6 * std::max(std::abs(want[i]), 1e-3 * largest);
    if (!(std::abs(gradient[i] - want[i]) <= bound)) {
      return ::testing::AssertionFailure() << "index " << i << ": gradient " << gradient[i]
                                           << ", differences " << want[i] << ", bound " << bound;
    }
  }
  return ::testing::AssertionSuccess();
}

// Rounds to multiples of 2^-13, as MatchesDifferences wants its inputs.
inline std::vector<float> Coarse(std::vector<float> values) {
  for (float& value : values) value = std::round(value * 0x1p13f) * 0x1p-13f;
  return values;
}

}  // namespace ringlet::testing
