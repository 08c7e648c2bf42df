#include "ops/router/router.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "ops/testing/guarded_buffer.h"
#include "ops/testing/random.h"
#include "ops/testing/tolerance.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Settings {
  int64_t experts;
  int64_t top_k;
  int64_t groups = 1;
  int64_t top_groups = 1;
  bool softmax = false;
  bool normalize = true;
  float scale = 1.0f;
};

struct Routing {
  std::vector<int32_t> ids;
  std::vector<float> weights;
};

RouterArgs ArgsOf(const Settings& s) {
  RouterArgs args;
  args.experts = s.experts;
  args.top_k = s.top_k;
  args.groups = s.groups;
  args.top_groups = s.top_groups;
  args.softmax = s.softmax;
  args.normalize = s.normalize;
  args.scale = s.scale;
  return args;
}

Routing Route(const Settings& s, const std::vector<float>& logits, const std::vector<float>& bias,
              int threads = 1) {
  Context context(IsaChoice::Detect(), threads);
  RouterArgs args = ArgsOf(s);
  args.logits = logits.data();
  args.bias = bias.empty() ? nullptr : bias.data();
  args.rows = static_cast<int64_t>(logits.size()) / s.experts;
  GuardedBuffer<int32_t> ids(static_cast<size_t>(args.rows * s.top_k), 1);
  GuardedBuffer<float> weights(ids.size(), 1);
  args.ids = ids.data();
  args.weights = weights.data();
  Router(context, args);
  return {{ids.data(), ids.data() + ids.size()}, {weights.data(), weights.data() + weights.size()}};
}

// The definition, read off the contract with repeated searches for the largest.
struct Naive {
  std::vector<int32_t> ids;
  std::vector<double> weights;
};

double ScoreOf(const Settings& s, const float* logits, int64_t e) {
  if (!s.softmax) return 1.0 / (1.0 + std::exp(-static_cast<double>(logits[e])));
  double sum = 0;
  for (int64_t i = 0; i < s.experts; ++i) sum += std::exp(static_cast<double>(logits[i]));
  return std::exp(static_cast<double>(logits[e])) / sum;
}

// The index in `values` of the largest among those not taken; the first of equals; -1 without any.
int64_t Largest(const std::vector<double>& values, const std::set<int64_t>& taken) {
  int64_t best = -1;
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
    if (taken.count(i) != 0) continue;
    if (best < 0 || values[static_cast<size_t>(i)] > values[static_cast<size_t>(best)]) best = i;
  }
  return best;
}

Naive RouteNaively(const Settings& s, const float* logits, const std::vector<float>& bias) {
  const int64_t width = s.experts / s.groups;
  std::vector<double> choice;
  for (int64_t e = 0; e < s.experts; ++e) {
    const double c = ScoreOf(s, logits, e) + (bias.empty() ? 0.0 : bias[static_cast<size_t>(e)]);
    choice.push_back(std::isnan(c) ? -INFINITY : c);
  }
  std::vector<double> group_scores;
  for (int64_t g = 0; g < s.groups; ++g) {
    const std::vector<double> group(choice.begin() + g * width, choice.begin() + (g + 1) * width);
    const int64_t first = Largest(group, {});
    const int64_t second = Largest(group, {first});
    group_scores.push_back(group[static_cast<size_t>(first)] +
                           (second < 0 ? 0.0 : group[static_cast<size_t>(second)]));
  }
  std::set<int64_t> kept;
  for (int64_t i = 0; i < s.top_groups; ++i) kept.insert(Largest(group_scores, kept));
  std::set<int64_t> out;
  for (int64_t e = 0; e < s.experts; ++e) {
    if (kept.count(e / width) == 0) out.insert(e);
  }
  std::set<int64_t> chosen;
  for (int64_t i = 0; i < s.top_k; ++i) {
    const int64_t e = Largest(choice, out);
    out.insert(e);
    chosen.insert(e);
  }
  double sum = 0;
  for (const int64_t e : chosen) sum += ScoreOf(s, logits, e);
  Naive result;
  for (const int64_t e : chosen) {
    result.ids.push_back(static_cast<int32_t>(e));
    const double p = ScoreOf(s, logits, e);
    result.weights.push_back((s.normalize ? p / (sum + 1e-20) : p) * s.scale);
  }
  return result;
}

void ExpectSame(const Settings& s, const std::vector<float>& logits,
                const std::vector<float>& bias) {
  const Routing got = Route(s, logits, bias);
  const auto rows = static_cast<int64_t>(logits.size()) / s.experts;
  const auto k = static_cast<size_t>(s.top_k);
  for (int64_t row = 0; row < rows; ++row) {
    const Naive want = RouteNaively(s, logits.data() + row * s.experts, bias);
    const size_t at = static_cast<size_t>(row) * k;
    ASSERT_EQ(std::vector<int32_t>(got.ids.begin() + at, got.ids.begin() + at + k), want.ids);
    std::vector<double> bound;
    for (const double w : want.weights) bound.push_back(SumBound(2, std::abs(w)));
    ASSERT_TRUE(Within(std::span(got.weights).subspan(at, k), want.weights, bound));
  }
}

// Random settings and logits; often from a small set of values, so that ties happen everywhere.
TEST(RouterTest, MatchesTheDefinition) {
  Rng rng(1);
  for (int trial = 0; trial < 2000; ++trial) {
    Settings s;
    s.groups = int64_t{1} << rng.Below(4);
    s.experts = s.groups * Between(&rng, 1, 9);
    s.top_groups = Between(&rng, 1, s.groups);
    s.top_k = Between(&rng, 1, s.experts / s.groups * s.top_groups);
    s.softmax = rng.Below(2) == 0;
    s.normalize = rng.Below(2) == 0;
    s.scale = static_cast<float>(0.5 + 2.0 * rng.Uniform());
    std::vector<float> logits = NormalFloats(&rng, 3 * s.experts, 2.0);
    std::vector<float> bias;
    if (rng.Below(2) == 0) bias = NormalFloats(&rng, s.experts, 0.1);
    if (rng.Below(2) == 0) {
      for (float& value : logits) value = static_cast<float>(Between(&rng, -1, 1));
      bias.clear();
    }
    ASSERT_NO_FATAL_FAILURE(ExpectSame(s, logits, bias)) << "trial " << trial;
  }
}

TEST(RouterTest, TiesGoToTheLowerIndex) {
  const Routing got = Route({.experts = 8, .top_k = 3}, std::vector<float>(8, 0.25f), {});
  EXPECT_EQ(got.ids, (std::vector<int32_t>{0, 1, 2}));
  for (const float w : got.weights) EXPECT_NEAR(w, 1.0 / 3.0, 1e-7);
  // Equal groups: the first ones stay.
  const Routing grouped = Route({.experts = 8, .top_k = 4, .groups = 4, .top_groups = 2},
                                std::vector<float>(8, 0.25f), {});
  EXPECT_EQ(grouped.ids, (std::vector<int32_t>{0, 1, 2, 3}));
}

// The two best of a group decide, not its best one: group 1 has (0.9, 0.1), group 0 (0.8, 0.7).
TEST(RouterTest, GroupScoreIsTheSumOfTwo) {
  const auto logit = [](double p) { return static_cast<float>(std::log(p / (1 - p))); };
  const std::vector<float> logits = {logit(0.8), logit(0.7), logit(0.9), logit(0.1)};
  const Routing got = Route({.experts = 4, .top_k = 1, .groups = 2, .top_groups = 1}, logits, {});
  EXPECT_EQ(got.ids, (std::vector<int32_t>{0}));
}

TEST(RouterTest, BiasSelectsButDoesNotWeigh) {
  const std::vector<float> logits = {2.0f, 0.0f, -2.0f};
  const Routing got =
      Route({.experts = 3, .top_k = 1, .normalize = false}, logits, {0.0f, 0.0f, 5.0f});
  EXPECT_EQ(got.ids, (std::vector<int32_t>{2}));
  EXPECT_NEAR(got.weights[0], 1.0 / (1.0 + std::exp(2.0)), 1e-7);
}

// A biased choice may be negative: groups that are out must still lose against it.
TEST(RouterTest, NegativeChoicesBeatExcludedGroups) {
  const std::vector<float> logits(4, 0.0f);
  const Routing got = Route({.experts = 4, .top_k = 2, .groups = 2, .top_groups = 1}, logits,
                            {-3.0f, -3.0f, -4.0f, -1.9f});
  EXPECT_EQ(got.ids, (std::vector<int32_t>{2, 3}));
}

TEST(RouterTest, NanLogitIsTheLastChoice) {
  std::vector<float> logits = {kNan, 1.0f, -5.0f, 0.0f};
  Routing got = Route({.experts = 4, .top_k = 3}, logits, {});
  EXPECT_EQ(got.ids, (std::vector<int32_t>{1, 2, 3}));
  for (const float w : got.weights) EXPECT_TRUE(std::isfinite(w));
  got = Route({.experts = 4, .top_k = 4, .normalize = false}, logits, {});
  EXPECT_EQ(got.ids, (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_TRUE(std::isnan(got.weights[0]));
  EXPECT_FALSE(std::isnan(got.weights[1]));
}

// Whatever the logits are, the ids are distinct, ascending and in the kept groups.
TEST(RouterTest, AllNanOrInfinite) {
  for (const float value :
       {kNan, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    for (const bool softmax : {false, true}) {
      const Routing got =
          Route({.experts = 8, .top_k = 4, .groups = 4, .top_groups = 2, .softmax = softmax},
                std::vector<float>(8, value), {});
      EXPECT_EQ(got.ids, (std::vector<int32_t>{0, 1, 2, 3})) << value << " " << softmax;
    }
  }
}

// Every chosen group is all NaN but the experts must come from it: excluded ones are not better.
TEST(RouterTest, NanFillsUpWithinTheKeptGroups) {
  const std::vector<float> logits = {9.0f, kNan, 0.0f, 0.0f};
  const Routing got = Route({.experts = 4, .top_k = 2, .groups = 2, .top_groups = 1}, logits, {});
  EXPECT_EQ(got.ids, (std::vector<int32_t>{2, 3}));
  const Routing first =
      Route({.experts = 4, .top_k = 2, .groups = 2, .top_groups = 1}, {kNan, kNan, kNan, kNan}, {});
  EXPECT_EQ(first.ids, (std::vector<int32_t>{0, 1}));
}

TEST(RouterTest, RowsDoNotDependOnThreads) {
  Rng rng(2);
  const Settings s{.experts = 64, .top_k = 8, .groups = 8, .top_groups = 4};
  const std::vector<float> logits = NormalFloats(&rng, 500 * 64);
  const std::vector<float> bias = NormalFloats(&rng, 64, 0.1);
  const Routing one = Route(s, logits, bias, 1);
  for (int threads = 2; threads <= 4; ++threads) {
    const Routing many = Route(s, logits, bias, threads);
    EXPECT_EQ(one.ids, many.ids);
    EXPECT_TRUE(SameBits(one.weights, many.weights));
  }
}

}  // namespace
}  // namespace ringlet
