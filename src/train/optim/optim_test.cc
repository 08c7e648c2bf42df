#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/rng.h"
#include "train/optim/expert_balance.h"
#include "train/optim/merge.h"
#include "train/optim/schedule.h"
#include "train/optim/spike_guard.h"

namespace ringlet {
namespace {

TEST(ScheduleTest, WarmsUpAndStays) {
  ScheduleSettings schedule;
  schedule.warmup_steps = 4;
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 2.0, 10, 1), 0.5);
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 2.0, 10, 3), 1.5);
  for (int step = 4; step <= 10; ++step) EXPECT_EQ(LearningRate(schedule, 2.0, 10, step), 2.0);
}

TEST(ScheduleTest, FallsOverTheLastSteps) {
  ScheduleSettings schedule;
  schedule.kind = ScheduleKind::kWsd;
  schedule.warmup_steps = 2;
  schedule.decay_steps = 4;
  schedule.final_share = 0.5;
  EXPECT_EQ(LearningRate(schedule, 1.0, 10, 6), 1.0);
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 1.0, 10, 8), 0.75);
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 1.0, 10, 10), 0.5);
  schedule.decay = DecayShape::kSqrt;
  EXPECT_DOUBLE_EQ(LearningRate(schedule, 1.0, 10, 7), 0.75);
}

TEST(ScheduleTest, CosineFallsFromTheWarmUpToTheEnd) {
  ScheduleSettings schedule;
  schedule.kind = ScheduleKind::kCosine;
  schedule.warmup_steps = 10;
  EXPECT_EQ(LearningRate(schedule, 1.0, 110, 10), 1.0);
  EXPECT_NEAR(LearningRate(schedule, 1.0, 110, 60), 0.5, 1e-15);
  EXPECT_NEAR(LearningRate(schedule, 1.0, 110, 110), 0.0, 1e-15);
  for (int step = 11; step <= 110; ++step) {
    EXPECT_LT(LearningRate(schedule, 1.0, 110, step), LearningRate(schedule, 1.0, 110, step - 1));
  }
}

TEST(SpikeGuardTest, SkipsSpikesAndKeepsThemOutOfTheWindow) {
  GuardSettings settings;
  settings.window = 16;
  settings.min_samples = 8;
  settings.factor = 4;
  SpikeGuard guard(settings);
  EXPECT_EQ(guard.Judge(1.0, 1e9), StepVerdict::kTake);  // nothing to compare with yet
  for (int i = 0; i < 20; ++i) EXPECT_EQ(guard.Judge(1.0, 1.0 + 0.01 * i), StepVerdict::kTake);
  EXPECT_EQ(guard.Judge(1.0, 100.0), StepVerdict::kSkipSpike);
  EXPECT_EQ(guard.Judge(1.0, 4.0), StepVerdict::kTake);
  EXPECT_LT(guard.Median(), 1.3);
}

// One NaN must not blind the guard, nor make it skip everything after.
TEST(SpikeGuardTest, ANanLeavesNoTrace) {
  GuardSettings settings;
  settings.min_samples = 4;
  settings.factor = 4;
  SpikeGuard guard(settings);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(guard.Judge(1.0, 1.0), StepVerdict::kTake);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(guard.Judge(nan, 1.0), StepVerdict::kSkipNotFinite);
  EXPECT_EQ(guard.Judge(1.0, inf), StepVerdict::kSkipNotFinite);
  EXPECT_EQ(guard.Judge(1.0, 1.0), StepVerdict::kTake);
  EXPECT_EQ(guard.Judge(1.0, 5.0), StepVerdict::kSkipSpike);
  EXPECT_EQ(guard.Median(), 1.0);
}

TEST(SpikeGuardTest, EndsARunOfNansButFollowsALastingChange) {
  GuardSettings settings;
  settings.min_samples = 4;
  settings.max_skips = 3;
  SpikeGuard guard(settings);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(guard.Judge(1.0, 1.0), StepVerdict::kTake);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(guard.Judge(1.0, 100.0), StepVerdict::kSkipSpike);
  EXPECT_EQ(guard.Judge(1.0, 100.0), StepVerdict::kTake);
  EXPECT_EQ(guard.Median(), 100.0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(guard.Judge(nan, nan), StepVerdict::kSkipNotFinite);
  EXPECT_EQ(guard.Judge(nan, nan), StepVerdict::kStop);
}

TEST(SpikeGuardTest, ARestoredGuardJudgesEqually) {
  GuardSettings settings;
  settings.min_samples = 4;
  settings.window = 10;
  settings.factor = 2;
  SpikeGuard guard(settings);
  Rng rng(5);
  for (int i = 0; i < 50; ++i) (void)guard.Judge(1.0, rng.Uniform() * 3);
  SpikeGuard other(settings);
  const Result<Json> state = ParseJson(guard.State().dump(), "state");
  ASSERT_TRUE(other.Restore(state.value(), "state").ok());
  for (int i = 0; i < 200; ++i) {
    const double norm = rng.Uniform() * 3;
    ASSERT_EQ(guard.Judge(1.0, norm), other.Judge(1.0, norm));
  }
  for (const char* bad :
       {"3", "{}", R"({"norms": 3, "skipped": 0})", R"({"norms": ["x"], "skipped": 0})",
        R"({"norms": [], "skipped": -1})", R"({"norms": [1,1,1,1,1,1,1,1,1,1,1], "skipped": 0})"}) {
    EXPECT_FALSE(other.Restore(ParseJson(bad, "state").value(), "state").ok()) << bad;
  }
}

TEST(ClipScaleTest, OnlyShortens) {
  EXPECT_EQ(ClipScale(4.0, 1.0), 0.25);
  EXPECT_EQ(ClipScale(0.5, 1.0), 1.0);
  EXPECT_EQ(ClipScale(0.0, 1.0), 1.0);
  EXPECT_EQ(ClipScale(4.0, 0.0), 1.0);
}

TEST(ExpertBalanceTest, MeasuresLoads) {
  const LoadStats even = MeasureLoad(std::vector<int64_t>{5, 5, 5, 5});
  EXPECT_EQ(even.cv, 0.0);
  EXPECT_EQ(even.max_over_mean, 1.0);
  const LoadStats one = MeasureLoad(std::vector<int64_t>{0, 8, 0, 0});
  EXPECT_DOUBLE_EQ(one.cv, std::sqrt(3.0));
  EXPECT_EQ(one.max_over_mean, 4.0);
  EXPECT_EQ(one.idle, 3);
  EXPECT_EQ(MeasureLoad(std::vector<int64_t>{0, 0}).cv, 0.0);
}

TEST(ExpertBalanceTest, SignRuleOfThePaper) {
  const std::vector<int64_t> counts = {10, 2, 2, 6};  // mean 5: signs -, +, +, -
  std::vector<float> bias(4);
  UpdateExpertBias(counts, BalanceRule::kSign, 0.5, bias);
  EXPECT_EQ(bias, (std::vector<float>{-0.5f, 0.5f, 0.5f, -0.5f}));
  const std::vector<int64_t> uneven = {9, 1, 1, 1};  // signs -, +, +, +: mean 1/2
  bias.assign(4, 0.0f);
  UpdateExpertBias(uneven, BalanceRule::kSign, 1.0, bias);
  EXPECT_EQ(bias, (std::vector<float>{-1.5f, 0.5f, 0.5f, 0.5f}));
}

TEST(ExpertBalanceTest, ProportionalRule) {
  std::vector<float> bias(4, 1.0f);
  UpdateExpertBias(std::vector<int64_t>{9, 1, 1, 1}, BalanceRule::kProportional, 0.75, bias);
  EXPECT_EQ(bias, (std::vector<float>{-0.5f, 1.5f, 1.5f, 1.5f}));
}

TEST(ExpertBalanceTest, NothingMovesWithoutLoadOrRule) {
  std::vector<float> bias = {1.0f, 2.0f};
  UpdateExpertBias(std::vector<int64_t>{0, 0}, BalanceRule::kSign, 1.0, bias);
  UpdateExpertBias(std::vector<int64_t>{4, 0}, BalanceRule::kOff, 1.0, bias);
  UpdateExpertBias(std::vector<int64_t>{4, 4}, BalanceRule::kSign, 1.0, bias);
  EXPECT_EQ(bias, (std::vector<float>{1.0f, 2.0f}));
}

// Tokens choose the two best of noisy scores whose means differ: without the update a few experts
// get nearly everything, with it the loads come together.
TEST(ExpertBalanceTest, BalancesASimulatedRouter) {
  constexpr size_t kExperts = 16;
  const auto simulate = [](BalanceRule rule) {
    Rng rng(7);
    std::vector<float> bias(kExperts);
    LoadStats stats;
    for (int step = 0; step < 1500; ++step) {
      std::vector<int64_t> counts(kExperts);
      for (int token = 0; token < 256; ++token) {
        std::array<double, kExperts> scores;
        for (size_t e = 0; e < kExperts; ++e) {
          scores[e] = 0.03 * static_cast<double>(e) + 0.2 * rng.Normal() + bias[e];
        }
        for (int choice = 0; choice < 2; ++choice) {
          const auto best = std::max_element(scores.begin(), scores.end());
          ++counts[static_cast<size_t>(best - scores.begin())];
          *best = -1e9;
        }
      }
      stats = MeasureLoad(counts);
      UpdateExpertBias(counts, rule, 1e-3, bias);
    }
    return stats.cv;
  };
  EXPECT_LT(simulate(BalanceRule::kSign), 0.25);
  EXPECT_LT(simulate(BalanceRule::kProportional), 0.25);
  EXPECT_GT(simulate(BalanceRule::kOff), 0.6);
}

TEST(MergeTest, CoefficientsStandForTheDecay) {
  for (const DecayShape shape : {DecayShape::kLinear, DecayShape::kSqrt, DecayShape::kCosine}) {
    for (const int64_t count : {1, 2, 5, 32}) {
      const std::vector<double> c = MergeCoefficients(shape, count);
      ASSERT_EQ(c.size(), static_cast<size_t>(count));
      EXPECT_NEAR(std::accumulate(c.begin(), c.end(), 0.0), 1.0, 1e-14);
      // The sum of the coefficients from j on is the weight of change j.
      double tail = 0;
      for (int64_t j = count - 1; j >= 0; --j) {
        EXPECT_GE(c[static_cast<size_t>(j)], 0.0);
        tail += c[static_cast<size_t>(j)];
        EXPECT_NEAR(tail, DecayCurve(shape, static_cast<double>(j) / static_cast<double>(count)),
                    1e-14);
      }
    }
  }
  for (const double c : MergeCoefficients(DecayShape::kLinear, 4)) EXPECT_DOUBLE_EQ(c, 0.25);
}

TEST(MergeTest, MergesWithAnyThreads) {
  Rng rng(8);
  std::vector<std::vector<float>> weights(3, std::vector<float>(100'001));
  for (auto& source : weights) {
    for (float& w : source) w = static_cast<float>(rng.Normal());
  }
  const std::vector<std::span<const float>> sources(weights.begin(), weights.end());
  const std::vector<double> c = {0.5, 0.3, 0.2};
  for (int threads = 1; threads <= 3; ++threads) {
    ThreadPool pool(threads);
    std::vector<float> out(weights[0].size());
    MergeWeights(pool, sources, c, out);
    for (size_t i = 0; i < out.size(); ++i) {
      const double want = 0.0 + 0.5 * weights[0][i] + 0.3 * weights[1][i] + 0.2 * weights[2][i];
      ASSERT_EQ(out[i], static_cast<float>(want)) << i;
    }
  }
}

}  // namespace
}  // namespace ringlet
