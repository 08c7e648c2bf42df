#include "ops/router/router_backward.h"

#include <gtest/gtest.h>

#include "ops/router/router.h"
#include "ops/testing/gradient_check.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/random.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

struct Settings {
  bool softmax;
  bool normalize;
  double z_loss;
};

constexpr int64_t kRows = 5;
constexpr int64_t kExperts = 12;
constexpr int64_t kTopK = 4;

// Random logits and the experts that the engine's router chooses among them.
struct Problem {
  explicit Problem(const Settings& settings) {
    Rng rng(1);
    logits = Coarse(NormalFloats(&rng, kRows * kExperts, 2.0));
    dweights = NormalFloats(&rng, kRows * kTopK);
    bias = NormalFloats(&rng, kExperts);
    ids.resize(static_cast<size_t>(kRows * kTopK));
    std::vector<float> weights(ids.size());
    Context context(IsaChoice::Detect(), 1);
    Router(context, {logits.data(), bias.data(), kRows, kExperts, kTopK, 3, 2, settings.softmax,
                     settings.normalize, 2.5f, ids.data(), weights.data()});
    args = {logits.data(), ids.data(),      dweights.data(),  kRows,
            kExperts,      kTopK,           settings.softmax, settings.normalize,
            2.5f,          settings.z_loss, nullptr};
  }
  Problem(const Problem&) = delete;

  std::vector<float> logits;
  std::vector<float> dweights;
  std::vector<float> bias;
  std::vector<int32_t> ids;
  RouterBackwardArgs args;
};

// The weights of the chosen experts, weighted, plus the z loss; from the formulas, in float64.
double Loss(const Problem& p) {
  double loss = 0;
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<double> score;
    double exponentials = 0;
    for (int64_t e = 0; e < kExperts; ++e) {
      const double logit = p.logits[static_cast<size_t>(row * kExperts + e)];
      exponentials += std::exp(logit);
      score.push_back(p.args.softmax ? std::exp(logit) : 1.0 / (1.0 + std::exp(-logit)));
    }
    double sum = 0;
    for (int64_t i = 0; i < kTopK; ++i) {
      double& s = score[static_cast<size_t>(p.ids[static_cast<size_t>(row * kTopK + i)])];
      if (p.args.softmax) s /= exponentials;
      sum += s;
    }
    for (int64_t i = 0; i < kTopK; ++i) {
      const auto slot = static_cast<size_t>(row * kTopK + i);
      const double s = score[static_cast<size_t>(p.ids[slot])];
      loss += p.dweights[slot] * 2.5 * (p.args.normalize ? s / sum : s);
    }
    loss += p.args.z_loss * std::log(exponentials) * std::log(exponentials);
  }
  return loss;
}

TEST(RouterBackwardTest, AgreesWithFiniteDifferences) {
  Context context(IsaChoice::Detect(), 2);
  for (const bool softmax : {false, true}) {
    for (const bool normalize : {false, true}) {
      for (const double z_loss : {0.0, 0.3}) {
        Problem p({softmax, normalize, z_loss});
        GuardedBuffer<float> dlogits(p.logits.size(), 1);
        p.args.dlogits = dlogits.data();
        RouterBackward(context, p.args);
        const std::vector<double> gradient(dlogits.data(), dlogits.data() + dlogits.size());
        EXPECT_TRUE(MatchesDifferences(p.logits, gradient, [&] { return Loss(p); }))
            << softmax << normalize << z_loss;
      }
    }
  }
}

TEST(RouterBackwardTest, OthersGetNothingAndThreadsChangeNothing) {
  Problem p({false, true, 0.0});
  std::vector<float> want(p.logits.size(), 1.0f);
  p.args.dlogits = want.data();
  Context one(IsaChoice::Detect(), 1);
  RouterBackward(one, p.args);
  int64_t zeros = 0;
  for (const float value : want) zeros += value == 0.0f ? 1 : 0;
  EXPECT_EQ(zeros, kRows * (kExperts - kTopK));
  for (int threads = 2; threads <= 4; ++threads) {
    Context context(IsaChoice::Detect(), threads);
    std::vector<float> got(want.size());
    p.args.dlogits = got.data();
    RouterBackward(context, p.args);
    ASSERT_TRUE(SameBits(want, got));
  }
}

// A score that is 1 to rounding still has its tiny derivative.
TEST(RouterBackwardTest, SaturatedScoresDoNotCancel) {
  const float logits[2] = {45.0f, 0.0f};
  const int32_t ids[1] = {0};
  const float dweights[1] = {1.0f};
  float dlogits[2];
  Context context(IsaChoice::Detect(), 1);
  RouterBackward(context, {logits, ids, dweights, 1, 2, 1, false, false, 1.0f, 0.0, dlogits});
  EXPECT_NEAR(dlogits[0] / std::exp(-45.0), 1.0, 1e-6);
  EXPECT_EQ(dlogits[1], 0.0f);
}

}  // namespace
}  // namespace ringlet
