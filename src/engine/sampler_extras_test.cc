// DRY, XTC, biases and masks, each against what its definition says, written plainly.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "engine/sampler.h"

namespace ringlet {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

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

// id -> probability, of the ids above -inf.
std::map<int32_t, double> Softmax(const std::vector<double>& logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  std::map<int32_t, double> out;
  double sum = 0;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] == -kInf) continue;
    sum += out[static_cast<int32_t>(id)] = std::exp(logits[id] - max);
  }
  for (auto& [id, probability] : out) probability /= sum;
  return out;
}

void ExpectSame(std::span<const Candidate> got, const std::map<int32_t, double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const Candidate& c : got) {
    ASSERT_TRUE(want.contains(c.id)) << c.id;
    EXPECT_NEAR(c.probability, want.at(c.id), 1e-6) << c.id;
  }
}

std::vector<int32_t> RandomTokens(Rng& rng, size_t count, uint64_t vocab) {
  std::vector<int32_t> tokens(count);
  for (int32_t& id : tokens) id = static_cast<int32_t>(rng.Below(vocab));
  return tokens;
}

// By trying every place of every length.
int32_t NaiveRun(std::span<const int32_t> tokens, size_t i, const std::set<int32_t>& breakers) {
  int32_t run = 0;
  while (i >= 1 + static_cast<size_t>(run)) {
    const int32_t last = tokens[tokens.size() - 1 - run];
    if (tokens[i - 1 - run] != last || breakers.contains(last)) break;
    ++run;
  }
  return run;
}

TEST(RepetitionFinderTest, MatchesTheNaiveSearch) {
  Rng rng(3);
  RepetitionFinder finder;
  for (int trial = 0; trial < 3000; ++trial) {
    const std::vector<int32_t> tokens = RandomTokens(rng, rng.Below(30), 1 + rng.Below(4));
    TokenSet set(4);
    std::set<int32_t> breakers;
    if (rng.Below(2) == 0) breakers.insert(static_cast<int32_t>(rng.Below(4)));
    for (const int32_t id : breakers) set.Add(id);
    const auto got = finder.Find(tokens, breakers.empty() ? nullptr : &set);
    ASSERT_EQ(got.size(), tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
      ASSERT_EQ(got[i], NaiveRun(tokens, i, breakers)) << trial << " " << i;
    }
  }
}

// Quadratic work would take minutes here.
TEST(RepetitionFinderTest, IsLinear) {
  const std::vector<int32_t> same(1'000'000, 7);
  RepetitionFinder finder;
  const auto lengths = finder.Find(same, nullptr);
  for (size_t i = 0; i < same.size(); ++i) ASSERT_EQ(lengths[i], static_cast<int32_t>(i));
}

TEST(SamplerDryTest, PenaltyFollowsItsDefinition) {
  Rng rng(5);
  const int32_t vocab = 6;
  for (int trial = 0; trial < 500; ++trial) {
    const std::vector<float> logits = RandomLogits(vocab, rng.Next());
    // Two ids that are not in the row take part in repetitions, and are not penalized.
    std::vector<int32_t> tokens = RandomTokens(rng, rng.Below(40), 4);
    for (int32_t& id : tokens) id = id == 3 ? (rng.Below(2) == 0 ? -1 : 99) : id;
    SamplerOptions options = Plain();
    options.dry_multiplier = 0.8;
    options.dry_base = 1.5;
    options.dry_allowed_length = static_cast<int64_t>(1 + rng.Below(4));
    options.dry_penalty_last_n = static_cast<int64_t>(rng.Below(30)) - 1;
    std::set<int32_t> breakers;
    if (rng.Below(2) == 0) {
      breakers.insert(1);
      const auto set = std::make_shared<TokenSet>(vocab);
      set->Add(1);
      options.dry_breakers = set;
    }
    std::span<const int32_t> window = tokens;
    const int64_t last_n = options.dry_penalty_last_n;
    if (last_n >= 0 && last_n < std::ssize(tokens)) window = window.last(last_n);
    std::vector<double> want(logits.begin(), logits.end());
    for (int32_t id = 0; id < vocab; ++id) {
      int32_t run = 0;
      for (size_t i = 0; i < window.size(); ++i) {
        if (window[i] == id) run = std::max(run, NaiveRun(window, i, breakers));
      }
      if (run < options.dry_allowed_length || breakers.contains(id)) continue;
      want[id] -= 0.8 * std::pow(1.5, static_cast<double>(run - options.dry_allowed_length));
    }
    SampleContext context;
    context.tokens = tokens;
    Sampler sampler(options);
    SCOPED_TRACE(trial);
    ExpectSame(sampler.Distribution(logits, context), Softmax(want));
    ExpectSame(sampler.Distribution(logits, {}), Softmax({logits.begin(), logits.end()}));
  }
}

TEST(SamplerDryTest, PenaltyNeverRemovesTheLastToken) {
  SamplerOptions options = Plain();
  options.dry_multiplier = 100;
  options.dry_base = 100;
  const std::vector<int32_t> tokens(5000, 0);
  SampleContext context;
  context.tokens = tokens;
  EXPECT_EQ(Sampler(options).Sample(std::vector<float>{3}, context), 0);
  EXPECT_EQ(Sampler(options).Sample(std::vector<float>{-3.4e38f}, context), 0);
  EXPECT_EQ(Sampler(options).Sample(std::vector<float>{3, -1000}, context), 1);
}

TEST(TokenSetTest, HoldsItsIds) {
  TokenSet set(65);
  for (const int32_t id : {0, 63, 64, -1, 1000}) set.Add(id);
  EXPECT_EQ(set.words().size(), 2u);
  for (const int32_t id : {0, 63, 64}) EXPECT_TRUE(set.Contains(id));
  for (const int32_t id : {1, 62, 65, 128, -1, -64, 1000}) EXPECT_FALSE(set.Contains(id));
}

TEST(TokenSetTest, BreakersAreTokensThatContainThem) {
  const std::vector<std::string_view> tokens = {"a", ":", " b:\n", "", "\n\n", "*"};
  const auto bytes = [&](int32_t id) { return tokens[id]; };
  const TokenSet set = TokensContaining(std::vector<std::string_view>{"\n", ":", ""}, 6, bytes);
  EXPECT_EQ(set.words()[0], uint64_t{0b010110});
  const TokenSet usual = TokensContaining(DefaultDrySequenceBreakers(), 6, bytes);
  EXPECT_EQ(usual.words()[0], uint64_t{0b110110});
}

// What XTC leaves, from its definition.
std::map<int32_t, double> NaiveXtc(std::map<int32_t, double> kept, double threshold) {
  std::vector<std::pair<double, int32_t>> likely;  // sorts worst first, of equals the higher id
  for (const auto& [id, probability] : kept) {
    if (probability >= threshold) likely.emplace_back(probability, -id);
  }
  std::sort(likely.begin(), likely.end());
  for (size_t i = 1; i < likely.size(); ++i) kept.erase(-likely[i].second);
  double sum = 0;
  for (const auto& entry : kept) sum += entry.second;
  for (auto& entry : kept) entry.second /= sum;
  return kept;
}

// The draws are predicted one by one: first the chance, then the token, from one generator.
TEST(SamplerXtcTest, DrawsFollowItsDefinition) {
  std::vector<float> logits = RandomLogits(40, 9, 1.5);
  logits[30] = logits[12] = logits[4];  // ties
  for (const double threshold : {0.0, 0.02, 0.1, 0.4, 0.6}) {
    for (const double chance : {0.3, 1.0}) {
      SamplerOptions options = Plain();
      options.xtc_threshold = threshold;
      options.xtc_probability = chance;
      options.seed = 17;
      Sampler sampler(options);
      const auto full = Softmax({logits.begin(), logits.end()});
      const auto cut = NaiveXtc(full, threshold);
      Rng rng(17);
      for (int i = 0; i < 300; ++i) {
        const auto& from = rng.Uniform() < chance ? cut : full;
        double rest = rng.Uniform();
        int32_t want = 0;
        for (const auto& [id, probability] : from) {
          want = id;
          if (rest < probability) break;
          rest -= probability;
        }
        ASSERT_EQ(sampler.Sample(logits, {}), want) << threshold << " " << i;
      }
    }
  }
}

TEST(SamplerXtcTest, EveryRowIsHandled) {
  SamplerOptions options = Plain();
  options.xtc_probability = 1;
  for (const double threshold : {0.0, 0.1, 0.5, 1.0}) {
    options.xtc_threshold = threshold;
    Sampler sampler(options);
    EXPECT_EQ(sampler.Sample({}, {}), std::nullopt);
    EXPECT_EQ(sampler.Sample(std::vector<float>{-kInf, 2}, {}), 1);
    // Of two infinite logits one is excluded; ids of probability 0 are not drawn even then.
    const auto infinite = sampler.Sample(std::vector<float>{1, kInf, kInf}, {});
    EXPECT_TRUE(infinite == 2 || (threshold > 0.5 && infinite == 1));
    EXPECT_EQ(sampler.Sample(std::vector<float>{1e30f, 0, -1e30f}, {}), 0);
  }
  options.temperature = 0;
  options.xtc_threshold = 0;
  EXPECT_EQ(Sampler(options).Sample(std::vector<float>{1, 2, 1}, {}), 1);
}

TEST(SamplerBiasTest, BiasesAreAddedBeforePenalties) {
  const std::vector<float> logits = {1, -2, 3, 0.5f};
  const std::vector<int32_t> tokens = {0, 1};
  SampleContext context;
  context.tokens = tokens;
  SamplerOptions options = Plain();
  options.repeat_penalty = 2;
  options.logit_bias = {{0, -3}, {1, 6}, {2, kMinLogitBias}, {77, 5}};
  // 1 - 3 is negative and doubled, -2 + 6 positive and halved.
  ExpectSame(Sampler(options).Distribution(logits, context), Softmax({-4, 2, -kInf, 0.5}));
  options.logit_bias = {{1, kMaxLogitBias}};
  options.temperature = 0;
  EXPECT_EQ(Sampler(options).Sample(logits, context), 1);
}

TEST(SamplerBiasTest, BiasesAreChecked) {
  SamplerOptions options;
  EXPECT_TRUE(SetLogitBias(options, 5, -100, "request").ok());
  EXPECT_TRUE(SetLogitBias(options, 6, 100, "request").ok());
  EXPECT_EQ(SetLogitBias(options, 7, 100.5, "request").message(),
            "request: logit_bias[7]: found 100.5, expected a number from -100 to 100");
  EXPECT_FALSE(SetLogitBias(options, 7, std::nan(""), "request").ok());
  EXPECT_FALSE(SetLogitBias(options, -1, 0, "request").ok());
  EXPECT_TRUE(ValidateSamplerOptions(options, "request").ok());
  options.logit_bias[8] = -101;
  EXPECT_FALSE(ValidateSamplerOptions(options, "request").ok());
}

TEST(SamplerMaskTest, OnlyAllowedIdsAreDrawn) {
  Rng rng(21);
  for (const int32_t vocab : {1, 63, 64, 65, 1000}) {
    const std::vector<float> logits = RandomLogits(vocab, rng.Next());
    for (const int32_t covered : {64, 65, vocab + 200}) {  // ids that the mask has bits for
      TokenSet set(covered);
      std::vector<double> want(logits.size(), -kInf);
      for (int32_t id = 0; id < covered; ++id) {
        if (rng.Below(3) != 0 && id != 0) continue;
        set.Add(id);
        if (id < vocab) want[id] = logits[id];
      }
      SampleContext context;
      context.allowed = set.words();
      Sampler sampler(Plain());
      ExpectSame(sampler.Distribution(logits, context), Softmax(want));
      SamplerOptions greedy;
      greedy.temperature = 0;
      const auto best = std::max_element(want.begin(), want.end()) - want.begin();
      EXPECT_EQ(Sampler(greedy).Sample(logits, context), best);
    }
  }
}

TEST(SamplerMaskTest, NothingAllowedMeansNoToken) {
  const std::vector<float> logits = {1, 2, -kInf, kInf};
  TokenSet set(4);
  SampleContext context;
  context.allowed = set.words();
  SamplerOptions greedy = Plain();
  greedy.temperature = 0;
  EXPECT_EQ(Sampler(Plain()).Sample(logits, context), std::nullopt);
  EXPECT_EQ(Sampler(greedy).Sample(logits, context), std::nullopt);
  set.Add(2);  // its logit is -inf, and no bias lifts that
  SamplerOptions biased = Plain();
  biased.logit_bias = {{2, 100}};
  EXPECT_EQ(Sampler(biased).Sample(logits, context), std::nullopt);
  set.Add(1);
  EXPECT_EQ(Sampler(greedy).Sample(logits, context), 1);
  const std::vector<int32_t> banned = {1};
  context.banned = banned;
  EXPECT_EQ(Sampler(Plain()).Sample(logits, context), std::nullopt);
}

// Draws recorded before these options existed.
TEST(SamplerTest, SeedsKeepTheirMeaning) {
  Rng rng(11);
  std::vector<float> logits(300);
  for (float& logit : logits) logit = static_cast<float>(rng.Normal() * 3);
  SamplerOptions usual;
  usual.seed = 123;
  SamplerOptions varied = Plain();
  varied.seed = 123;
  varied.temperature = 1.5;
  varied.repeat_penalty = 1.3;
  varied.frequency_penalty = 0.5;
  varied.typical_p = 0.9;
  const auto draw = [&](const SamplerOptions& options) {
    Sampler sampler(options);
    std::vector<int32_t> tokens = {1, 2, 3};
    for (int i = 0; i < 16; ++i) {
      SampleContext context;
      context.tokens = tokens;
      context.answer_begin = 3;
      tokens.push_back(*sampler.Sample(logits, context));
    }
    tokens.erase(tokens.begin(), tokens.begin() + 3);
    return tokens;
  };
  EXPECT_EQ(draw(usual), (std::vector<int32_t>{262, 262, 262, 262, 262, 262, 262, 35, 262, 35, 262,
                                               262, 35, 35, 262, 35}));
  EXPECT_EQ(draw(varied), (std::vector<int32_t>{35, 149, 213, 262, 262, 262, 35, 36, 170, 168, 262,
                                                35, 20, 68, 35, 213}));
}

}  // namespace
}  // namespace ringlet
