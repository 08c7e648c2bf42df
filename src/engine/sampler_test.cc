#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

namespace ringlet {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Everything off: the plain softmax of the logits.
SamplerOptions Plain() {
  SamplerOptions options;
  options.temperature = 1;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  return options;
}

std::vector<float> RandomLogits(size_t count, uint64_t seed, double scale = 2) {
  Rng rng(seed);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = static_cast<float>(rng.Normal() * scale);
  return logits;
}

// The documented chain, written plainly: id -> probability.
std::map<int32_t, double> NaiveDistribution(const std::vector<float>& logits,
                                            const SamplerOptions& options) {
  std::vector<std::pair<double, int32_t>> order;  // (-logit, id): sorts best first
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > -kInf) order.emplace_back(-logits[id], static_cast<int32_t>(id));
  }
  std::sort(order.begin(), order.end());
  if (options.top_k > 0 && options.top_k < std::ssize(order)) order.resize(options.top_k);
  std::vector<std::pair<double, int32_t>> kept;
  for (const auto& [negative, id] : order) {
    kept.emplace_back(std::exp((order[0].first - negative) / options.temperature), id);
  }
  const auto normalize = [&kept] {
    double sum = 0;
    for (const auto& entry : kept) sum += entry.first;
    for (auto& entry : kept) entry.first /= sum;
  };
  const auto keep_mass = [&](double mass) {
    double sum = 0;
    size_t count = 0;
    while (count < kept.size() && (count == 0 || sum < mass)) sum += kept[count++].first;
    kept.resize(count);
    normalize();
  };
  normalize();
  if (options.top_p < 1) keep_mass(options.top_p);
  if (options.min_p > 0) {
    const double bar = kept[0].first * options.min_p;
    std::erase_if(kept, [&](const auto& entry) { return entry.first < bar; });
    normalize();
  }
  if (options.typical_p < 1) {
    double entropy = 0;
    for (const auto& entry : kept) entropy -= entry.first * std::log(entry.first);
    std::stable_sort(kept.begin(), kept.end(), [&](const auto& a, const auto& b) {
      return std::abs(-std::log(a.first) - entropy) < std::abs(-std::log(b.first) - entropy);
    });
    keep_mass(options.typical_p);
  }
  std::map<int32_t, double> out;
  for (const auto& [probability, id] : kept) out[id] = probability;
  return out;
}

std::map<int32_t, double> ToMap(std::span<const Candidate> candidates) {
  std::map<int32_t, double> out;
  for (const Candidate& c : candidates) out[c.id] = c.probability;
  return out;
}

void ExpectSame(const std::map<int32_t, double>& got, const std::map<int32_t, double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [id, probability] : want) {
    ASSERT_TRUE(got.contains(id)) << id;
    EXPECT_NEAR(got.at(id), probability, 1e-12) << id;
  }
}

TEST(SamplerTest, FiltersMatchTheNaiveChain) {
  Rng rng(1);
  const auto pick = [&rng](std::initializer_list<double> values) {
    return values.begin()[rng.Below(values.size())];
  };
  for (int trial = 0; trial < 400; ++trial) {
    const size_t vocab = std::array<size_t, 6>{1, 2, 63, 64, 1000, 5000}[rng.Below(6)];
    const std::vector<float> logits = RandomLogits(vocab, rng.Next(), pick({0.1, 1, 5}));
    SamplerOptions options = Plain();
    options.temperature = pick({0.05, 0.7, 1, 3});
    options.top_k = static_cast<int64_t>(pick({0, 1, 2, 40, 500, 10000}));
    options.top_p = pick({0, 0.1, 0.5, 0.9, 0.999, 1});
    options.min_p = pick({0, 0.02, 0.3, 1});
    options.typical_p = pick({0, 0.4, 0.9, 1});
    Sampler sampler(options);
    SCOPED_TRACE(trial);
    ExpectSame(ToMap(sampler.Distribution(logits, {})), NaiveDistribution(logits, options));
  }
}

TEST(SamplerTest, TiesGoToTheLowerId) {
  const std::vector<float> logits(1000, 0.5f);
  SamplerOptions options = Plain();
  options.top_k = 3;
  Sampler sampler(options);
  const auto kept = ToMap(sampler.Distribution(logits, {}));
  EXPECT_EQ(kept.size(), 3u);
  for (int32_t id : {0, 1, 2}) EXPECT_TRUE(kept.contains(id));

  options.temperature = 0;
  const std::vector<float> row = {1, 3, 2, 3, 3};
  EXPECT_EQ(Sampler(options).Sample(row, {}), 1);
}

// Pearson's statistic against the 1e-6 quantile of chi-square (Wilson-Hilferty).
TEST(SamplerTest, DrawsFollowTheDistribution) {
  const std::vector<float> logits = RandomLogits(200, 5, 1.5);
  for (const bool filtered : {false, true}) {
    SamplerOptions options = Plain();
    options.seed = 99;
    if (filtered) {
      options.temperature = 0.8;
      options.top_k = 50;
      options.top_p = 0.9;
    }
    const auto want = NaiveDistribution(logits, options);
    std::map<int32_t, int> counts;
    const int draws = 200000;
    Sampler sampler(options);
    for (int i = 0; i < draws; ++i) ++counts[*sampler.Sample(logits, {})];
    double statistic = 0;
    for (const auto& [id, probability] : want) {
      const double expected = probability * draws;
      statistic += (counts[id] - expected) * (counts[id] - expected) / expected;
      counts.erase(id);
    }
    EXPECT_TRUE(counts.empty()) << "drew a token outside the filtered set";
    const double freedom = static_cast<double>(want.size() - 1);
    const double spread = 2 / (9 * freedom);
    const double quantile = freedom * std::pow(1 - spread + 4.753 * std::sqrt(spread), 3);
    EXPECT_LT(statistic, quantile);
  }
}

TEST(SamplerTest, SeedDecidesTheDraws) {
  const std::vector<float> logits = RandomLogits(1000, 7);
  const auto draw = [&](uint64_t seed) {
    SamplerOptions options = Plain();
    options.seed = seed;
    Sampler sampler(options);
    std::vector<int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(*sampler.Sample(logits, {}));
    return ids;
  };
  EXPECT_EQ(draw(3), draw(3));
  EXPECT_NE(draw(3), draw(4));
}

TEST(SamplerTest, EveryRowIsHandled) {
  std::vector<SamplerOptions> variants(6, Plain());
  variants[0].temperature = 0;
  variants[1].top_k = 2;
  variants[2].top_p = 0.5;
  variants[3].min_p = 0.5;
  variants[4].typical_p = 0.5;
  variants[5].temperature = std::numeric_limits<double>::denorm_min();
  for (const SamplerOptions& options : variants) {
    Sampler sampler(options);
    EXPECT_EQ(sampler.Sample({}, {}), std::nullopt);
    EXPECT_EQ(sampler.Sample(std::vector<float>{kNan, -kInf, kNan}, {}), std::nullopt);
    EXPECT_EQ(sampler.Sample(std::vector<float>{-3}, {}), 0);
    EXPECT_EQ(sampler.Sample(std::vector<float>{kNan, -kInf, -1e38f, kNan}, {}), 2);
    for (int i = 0; i < 20; ++i) {
      const auto id = sampler.Sample(std::vector<float>{3e38f, kInf, kNan, kInf, -kInf}, {});
      ASSERT_TRUE(id == 1 || id == 3);
    }
    // Differences that overflow fp32 and weights that underflow double.
    EXPECT_EQ(sampler.Sample(std::vector<float>{-3e38f, 3e38f, 0, -kInf}, {}), 1);
  }
}

TEST(SamplerTest, InfinityDrawsAreUniform) {
  Sampler sampler(Plain());
  const auto kept = ToMap(sampler.Distribution(std::vector<float>{kInf, 1e30f, kInf}, {}));
  EXPECT_EQ(kept.at(0), 0.5);
  EXPECT_EQ(kept.at(1), 0.0);
  EXPECT_EQ(kept.at(2), 0.5);
}

TEST(SamplerTest, BannedIdsAreNeverDrawn) {
  SamplerOptions options = Plain();
  options.temperature = 0;
  Sampler greedy(options);
  const std::vector<float> logits = {1, 5, 4, 2};
  const std::vector<int32_t> banned = {1, 2, -7, 99};
  SampleContext context;
  context.banned = banned;
  EXPECT_EQ(greedy.Sample(logits, context), 3);
  const std::vector<int32_t> all = {0, 1, 2, 3};
  context.banned = all;
  EXPECT_EQ(greedy.Sample(logits, context), std::nullopt);
}

TEST(SamplerTest, PenaltiesFollowTheirDefinitions) {
  const std::vector<float> logits = {2, -2, 1, 0.5f, 0};
  const std::vector<int32_t> tokens = {0, 1, 1, 2, 2, 2, -1, 5};  // the last two lie outside
  SampleContext context;
  context.tokens = tokens;
  context.answer_begin = 3;  // the answer is 2 2 2 -1 5

  SamplerOptions options = Plain();
  options.repeat_penalty = 2;
  options.repeat_last_n = -1;
  auto want = NaiveDistribution({1, -4, 0.5f, 0.5f, 0}, Plain());
  ExpectSame(ToMap(Sampler(options).Distribution(logits, context)), want);

  options.repeat_last_n = 6;  // tokens[2..]: ids 1 and 2
  want = NaiveDistribution({2, -4, 0.5f, 0.5f, 0}, Plain());
  ExpectSame(ToMap(Sampler(options).Distribution(logits, context)), want);

  options.repeat_last_n = 0;
  ExpectSame(ToMap(Sampler(options).Distribution(logits, context)),
             NaiveDistribution(logits, Plain()));

  options = Plain();
  options.frequency_penalty = 0.25;
  options.presence_penalty = 0.5;
  want = NaiveDistribution({2, -2, 1 - 3 * 0.25f - 0.5f, 0.5f, 0}, Plain());
  Sampler sampler(options);
  ExpectSame(ToMap(sampler.Distribution(logits, context)), want);
  // Counts do not leak into the next call.
  ExpectSame(ToMap(sampler.Distribution(logits, context)), want);
  ExpectSame(ToMap(sampler.Distribution(logits, {})), NaiveDistribution(logits, Plain()));
}

TEST(SamplerTest, ParametersAreChecked) {
  SamplerOptions options;
  for (const SamplerParameter& parameter : SamplerParameters()) {
    EXPECT_TRUE(SetSamplerParameter(options, parameter.name, parameter.min, "t").ok());
    EXPECT_TRUE(SetSamplerParameter(options, parameter.name, parameter.max, "t").ok());
    EXPECT_EQ(parameter.Get(options), parameter.max);
    for (const double bad : {parameter.min - 1, parameter.max + 1, std::nan(""), -1e300}) {
      const Status status = SetSamplerParameter(options, parameter.name, bad, "request");
      EXPECT_FALSE(status.ok()) << parameter.name << " " << bad;
      EXPECT_NE(status.message().find(parameter.name), std::string::npos);
    }
  }
  const Status fraction = SetSamplerParameter(options, "top_k", 1.5, "--top-k");
  EXPECT_EQ(fraction.message(), "--top-k: top_k: found 1.5, expected an integer of at least 0");
  EXPECT_FALSE(SetSamplerParameter(options, "top_q", 1, "request").ok());
  EXPECT_TRUE(ValidateSamplerOptions(SamplerOptions(), "defaults").ok());
  options = SamplerOptions();
  options.top_p = std::nan("");
  EXPECT_FALSE(ValidateSamplerOptions(options, "request").ok());
}

}  // namespace
}  // namespace ringlet
