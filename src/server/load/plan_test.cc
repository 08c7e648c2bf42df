#include "server/load/plan.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "base/json.h"

namespace ringlet {
namespace {

LoadTestOptions WithRate(double rate, LoadTestOptions::Arrivals arrivals) {
  LoadTestOptions options;
  options.rate = rate;
  options.arrivals = arrivals;
  return options;
}

// Words of one, two and three tokens whose ids tell them apart.
std::vector<PromptWord> Words() { return {{" a", {1}}, {" bc", {2, 3}}, {" def", {4, 5, 6}}}; }

Json Body(const LoadTestOptions& options, uint64_t index) {
  return *ParseJson(RequestMaker(options, Words()).Body(index), "body");
}

TEST(LoadPlan, ConstantArrivalsAreEvenlySpaced) {
  ArrivalTimes times(WithRate(8, LoadTestOptions::Arrivals::kConstant), 1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(times.Next(), i / 8.0);
}

TEST(LoadPlan, PoissonArrivalsHaveExponentialGaps) {
  constexpr int kCount = 100000;
  constexpr double kRate = 50;
  ArrivalTimes times(WithRate(kRate, LoadTestOptions::Arrivals::kPoisson), 3);
  double last = 0, sum = 0, squares = 0;
  int beyond = 0;  // the mean
  for (int i = 0; i < kCount; ++i) {
    const double gap = times.Next() - last;
    ASSERT_GE(gap, 0);
    last += gap;
    sum += gap * kRate;
    squares += gap * kRate * gap * kRate;
    beyond += gap * kRate > 1 ? 1 : 0;
  }
  // Five standard errors of each.
  const double error = 5 / std::sqrt(kCount);
  EXPECT_NEAR(sum / kCount, 1, error);
  EXPECT_NEAR(squares / kCount, 2, error * std::sqrt(20.0));
  EXPECT_NEAR(static_cast<double>(beyond) / kCount, std::exp(-1.0), error * 0.5);
}

TEST(LoadPlan, TheSeedDecidesArrivals) {
  const LoadTestOptions options = WithRate(5, LoadTestOptions::Arrivals::kPoisson);
  ArrivalTimes a(options, 7), b(options, 7), c(options, 8);
  const double first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, c.Next());
}

TEST(LoadPlan, PromptsOfCompletionsHaveTheTokensAskedFor) {
  LoadTestOptions options;
  options.model = "m";
  options.prompt_tokens = {5, 9};
  options.answer_tokens = {2, 4};
  bool seen[10] = {};
  for (uint64_t i = 0; i < 200; ++i) {
    const Json body = Body(options, i);
    const size_t tokens = body["prompt"].size();
    ASSERT_TRUE(tokens >= 5 && tokens <= 9) << tokens;
    seen[tokens] = true;
    EXPECT_TRUE(body["max_tokens"] >= 2 && body["max_tokens"] <= 4);
    EXPECT_EQ(body["model"], "m");
    EXPECT_EQ(body["stream"], true);
    EXPECT_EQ(body["ignore_eos"], true);
    for (const Json& id : body["prompt"]) EXPECT_TRUE(id >= 1 && id <= 6);
  }
  for (size_t tokens = 5; tokens <= 9; ++tokens) EXPECT_TRUE(seen[tokens]) << tokens;
}

TEST(LoadPlan, ThePrefixIsSharedAndTheRestIsNot) {
  LoadTestOptions options;
  options.prompt_tokens = {64, 64};
  options.shared_prefix = 40;
  const std::vector<int> a = Body(options, 0)["prompt"], b = Body(options, 1)["prompt"];
  ASSERT_EQ(a.size(), 64u);
  EXPECT_TRUE(std::equal(a.begin(), a.begin() + 40, b.begin()));
  EXPECT_FALSE(std::equal(a.begin() + 40, a.end(), b.begin() + 40));
  options.shared_prefix = 0;
  const std::vector<int> c = Body(options, 0)["prompt"], d = Body(options, 1)["prompt"];
  EXPECT_FALSE(std::equal(c.begin(), c.begin() + 40, d.begin()));
}

TEST(LoadPlan, SeedAndIndexDecideARequest) {
  LoadTestOptions options;
  EXPECT_EQ(Body(options, 3), Body(options, 3));
  EXPECT_NE(Body(options, 3)["prompt"], Body(options, 4)["prompt"]);
  LoadTestOptions other = options;
  other.seed = 1;
  EXPECT_NE(Body(options, 3)["prompt"], Body(other, 3)["prompt"]);
  EXPECT_NE(Body(options, 4)["prompt"], Body(other, 3)["prompt"]);
}

TEST(LoadPlan, ChatsAreWords) {
  LoadTestOptions options;
  options.endpoint = LoadTestOptions::Endpoint::kChat;
  options.prompt_tokens = {6, 6};
  options.ignore_end = false;
  EXPECT_EQ(RequestMaker(options, Words()).Path(), "/v1/chat/completions");
  const Json body = Body(options, 0);
  EXPECT_FALSE(body.contains("prompt"));
  EXPECT_FALSE(body.contains("ignore_eos"));
  ASSERT_EQ(body["messages"].size(), 1u);
  EXPECT_EQ(body["messages"][0]["role"], "user");
  const auto text = body["messages"][0]["content"].get<std::string>();
  EXPECT_FALSE(text.starts_with(' '));
  // Six tokens are at least two and at most six words here.
  const auto spaces = std::count(text.begin(), text.end(), ' ');
  EXPECT_TRUE(spaces >= 1 && spaces <= 5) << text;
}

}  // namespace
}  // namespace ringlet
