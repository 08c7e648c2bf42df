// The tolerances of operator tests, in one place, and the comparison that uses them.
//
// A bound is derived, not tuned: it is the largest error that rounding can cause, from the number
// of roundings a term of a sum can go through and the sum of the terms' magnitudes. Tests compute
// the magnitude in float64 next to the expected value.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <sstream>

namespace ringlet::testing {

// Half the step above 1: the largest relative error of one rounding to the type.
inline constexpr double kF32Round = 0x1p-24;
inline constexpr double kBf16Round = 0x1p-8;
// Absolute: results below the smallest normal fp32 may be flushed (the BF16 dot product does).
inline constexpr double kF32Tiny = 0x1p-126;

// Error of an fp32 sum whose terms have magnitudes adding up to `magnitude` and each pass through
// at most `roundings` roundings, relative 2^-24 each (1.01 covers the second order up to 10^5).
inline double SumBound(int64_t roundings, double magnitude) {
  return 1.01 * static_cast<double>(roundings) * kF32Round * magnitude + kF32Tiny;
}

// Error of a dot product over k terms in fp32: k additions and a rounding of each product.
inline double DotBound(int64_t k, double magnitude) { return SumBound(k + 2, magnitude); }

// Additional error from one group of int8 activations with the given largest |x|: half a step per
// input, times the sum of the group's |w|; the step and its inverse are rounded themselves.
inline double Int8GroupBound(double amax, double weight_magnitude) {
  return amax / 127.0 * (0.5 + 127.0 * 4.0 * kF32Round) * weight_magnitude;
}

// Passes when every got[i] is within bound[i] of want[i]. NaN matches NaN only and infinity the
// same infinity only. A bound that is not positive and finite is a mistake of the test and fails.
template <typename T>
::testing::AssertionResult EachWithin(std::span<const T> got, std::span<const double> want,
                                      std::span<const double> bound) {
  if (got.size() != want.size() || got.size() != bound.size()) {
    return ::testing::AssertionFailure() << "sizes differ: got " << got.size() << ", want "
                                         << want.size() << ", bound " << bound.size();
  }
  for (size_t i = 0; i < got.size(); ++i) {
    const double value = got[i];
    const bool bound_ok = bound[i] > 0.0 && std::isfinite(bound[i]);
    // A finite bound means nothing where the exact value is not finite.
    if (std::isnan(want[i]) && std::isnan(value)) continue;
    if (std::isinf(want[i]) && value == want[i]) continue;
    if (bound_ok && std::abs(value - want[i]) <= bound[i]) continue;
    std::ostringstream text;
    text.precision(9);
    text << "index " << i << ": got " << value << ", want " << want[i] << ", difference "
         << value - want[i] << ", bound " << bound[i]
         << (bound_ok ? "" : " (not a positive number: a mistake of the test)");
    return ::testing::AssertionFailure() << text.str();
  }
  return ::testing::AssertionSuccess();
}

// Spans do not convert where a template is to be found: one overload for each type of output.
inline ::testing::AssertionResult Within(std::span<const float> got, std::span<const double> want,
                                         std::span<const double> bound) {
  return EachWithin(got, want, bound);
}
inline ::testing::AssertionResult Within(std::span<const double> got, std::span<const double> want,
                                         std::span<const double> bound) {
  return EachWithin(got, want, bound);
}

}  // namespace ringlet::testing
