#include "ops/quantize/quantize.h"

#include <cmath>
#include <vector>

#include "ops/testing/guarded_buffer.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

class QuantizeOpTest : public IsaTest {};

struct Fit {
  std::vector<int8_t> codes;
  std::vector<float> steps;
};

Fit FitOf(const IsaChoice& isa, const std::vector<float>& x, const std::vector<float>& weight,
          int64_t group) {
  const auto n = static_cast<int64_t>(x.size());
  GuardedBuffer<int8_t> codes(x.size(), 1);
  GuardedBuffer<float> steps(static_cast<size_t>(n / group), 1);
  FitInt4(isa, {.x = x.data(),
                .weight = weight.empty() ? nullptr : weight.data(),
                .n = n,
                .group = group,
                .codes = codes.data(),
                .steps = steps.data()});
  return {{codes.span().begin(), codes.span().end()}, {steps.span().begin(), steps.span().end()}};
}

double ErrorOf(const Fit& fit, const std::vector<float>& x, const std::vector<float>& weight,
               size_t first, size_t group) {
  double error = 0;
  for (size_t i = first; i < first + group; ++i) {
    const double difference = x[i] - static_cast<double>(fit.steps[i / group]) * fit.codes[i];
    error += (weight.empty() ? 1.0 : weight[i]) * difference * difference;
  }
  return error;
}

// The largest magnitude is 8 steps of 60.
std::vector<float> GridValues(Rng* rng, int64_t n) { return NormalFloats(rng, n, 150.0); }

std::vector<float> Weights(Rng* rng, int64_t n) {
  std::vector<float> weights = NormalFloats(rng, n);
  for (float& weight : weights) weight = weight * weight * weight * weight;
  return weights;
}

TEST_P(QuantizeOpTest, IsCloseToTheBestOfAllSteps) {
  Rng rng(1);
  for (const int64_t group : {16, 32, 64, 128}) {
    for (const bool weighted : {false, true}) {
      const int64_t n = 64 * group;
      const std::vector<float> x = GridValues(&rng, n);
      const std::vector<float> weight = weighted ? Weights(&rng, n) : std::vector<float>();
      const Fit fit = FitOf(isa(), x, weight, group);
      std::vector<double> least(64);
      FitInt4Ref({.x = x.data(),
                  .weight = weight.empty() ? nullptr : weight.data(),
                  .n = n,
                  .group = group},
                 least.data());
      double sum = 0;
      double least_sum = 0;
      for (size_t g = 0; g < 64; ++g) {
        const auto size = static_cast<size_t>(group);
        const double error = ErrorOf(fit, x, weight, g * size, size);
        EXPECT_GE(error, least[g] * (1 - 1e-5));
        sum += error;
        least_sum += least[g];
        EXPECT_EQ(fit.steps[g], std::nearbyint(fit.steps[g]));
        EXPECT_GE(std::fabs(fit.steps[g]), 1.0f);
        EXPECT_LE(std::fabs(fit.steps[g]), kStepTop);
      }
      for (const int8_t code : fit.codes) EXPECT_TRUE(code >= -8 && code <= 7);
      // Uneven weights make the error a narrow function of the step.
      EXPECT_LT(sum, least_sum * (weighted ? 1.2 : 1.03)) << group << " " << weighted;
    }
  }
}

TEST_P(QuantizeOpTest, SpecialGroups) {
  std::vector<float> x(16, 0.0f);
  Fit fit = FitOf(isa(), x, {}, 16);
  EXPECT_EQ(fit.codes, std::vector<int8_t>(16, 0));
  EXPECT_EQ(fit.steps[0], 1.0f);
  // Smaller than the unit.
  x[3] = 0.3f;
  fit = FitOf(isa(), x, {}, 16);
  EXPECT_EQ(fit.codes, std::vector<int8_t>(16, 0));
  // Exact multiples of one step.
  for (size_t i = 0; i < 16; ++i) x[i] = 100.0f * (static_cast<float>(i) - 8.0f);
  fit = FitOf(isa(), x, {}, 16);
  EXPECT_EQ(fit.steps[0], 100.0f);
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(fit.codes[i], static_cast<int>(i) - 8);
  // The other sign: the largest magnitude keeps code -8.
  for (float& value : x) value = -value;
  fit = FitOf(isa(), x, {}, 16);
  EXPECT_EQ(fit.steps[0], -100.0f);
  EXPECT_EQ(fit.codes[0], -8);
  // Only the first value counts.
  std::vector<float> weight(16, 0.0f);
  weight[0] = 1;
  x[0] = 333;
  fit = FitOf(isa(), x, weight, 16);
  EXPECT_NEAR(fit.steps[0] * static_cast<float>(fit.codes[0]), 333, 4);
}

TEST_P(QuantizeOpTest, SameBitsForEveryInstructionSet) {
  Rng rng(2);
  const IsaChoice scalar = IsaChoice::Force("scalar").value();
  for (const int64_t group : {16, 48, 128}) {
    for (const bool weighted : {false, true}) {
      const std::vector<float> x = GridValues(&rng, 20 * group);
      const std::vector<float> weight = weighted ? Weights(&rng, 20 * group) : std::vector<float>();
      const Fit found = FitOf(isa(), x, weight, group);
      const Fit expected = FitOf(scalar, x, weight, group);
      EXPECT_EQ(found.codes, expected.codes);
      EXPECT_EQ(found.steps, expected.steps);
    }
  }
}

RINGLET_INSTANTIATE_ISAS(QuantizeOpTest);

}  // namespace
}  // namespace ringlet
