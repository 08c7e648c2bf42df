#include "server/load/report.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace ringlet {
namespace {

LoadSample Completed(double first, double latency, std::vector<double> gaps) {
  LoadSample sample;
  sample.outcome = LoadSample::Outcome::kCompleted;
  sample.first_token = first;
  sample.latency = latency;
  sample.gaps = std::move(gaps);
  sample.prompt_tokens = 10;
  sample.cached_tokens = 6;
  sample.answer_tokens = 3;
  return sample;
}

LoadSample Failed(std::string error) {
  LoadSample sample;
  sample.error = std::move(error);
  return sample;
}

TEST(LoadReport, PercentilesAreExact) {
  std::vector<double> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(i);
  std::shuffle(values.begin(), values.end(), std::mt19937(1));
  const Summary summary = Summarize(values);
  EXPECT_EQ(summary.count, 1000);
  EXPECT_EQ(summary.mean, 500.5);
  EXPECT_EQ(summary.p50, 500);
  EXPECT_EQ(summary.p90, 900);
  EXPECT_EQ(summary.p99, 990);
  EXPECT_EQ(summary.max, 1000);
}

TEST(LoadReport, PercentilesOfFewValues) {
  const Summary none = Summarize({});
  EXPECT_EQ(none.count, 0);
  EXPECT_EQ(none.p99, 0);
  const Summary one = Summarize({4});
  EXPECT_EQ(one.p50, 4);
  EXPECT_EQ(one.p99, 4);
  const Summary three = Summarize({3, 1, 2});
  EXPECT_EQ(three.p50, 2);
  EXPECT_EQ(three.p90, 3);
  // Eight values are less than 90% of nine.
  EXPECT_EQ(Summarize({1, 2, 3, 4, 5, 6, 7, 8, 9}).p90, 9);
  const Summary hundred_one = [] {
    std::vector<double> values(101, 0.0);
    values[50] = 1;
    return Summarize(values);
  }();
  EXPECT_EQ(hundred_one.p99, 0);
  EXPECT_EQ(hundred_one.max, 1);
}

LoadReport Example() {
  LoadResult result;
  result.model = "m";
  result.seconds = 2;
  LoadSample refused;
  refused.outcome = LoadSample::Outcome::kRefused;
  result.samples = {Completed(0.1, 0.4, {0.1, 0.2}),   Failed("reset"), refused,
                    Completed(0.3, 0.5, {0.05, 0.15}), Failed("reset"), Failed("HTTP 500: \"x\"")};
  return MakeReport(result);
}

TEST(LoadReport, CountsAndTimesOfWhatWasCompleted) {
  const LoadReport report = Example();
  EXPECT_EQ(report.completed, 2);
  EXPECT_EQ(report.refused, 1);
  EXPECT_EQ(report.failed, 3);
  EXPECT_EQ(report.prompt_tokens, 20);
  EXPECT_EQ(report.cached_tokens, 12);
  EXPECT_EQ(report.answer_tokens, 6);
  EXPECT_EQ(report.first_token.count, 2);
  EXPECT_EQ(report.first_token.p50, 0.1);
  EXPECT_EQ(report.latency.max, 0.5);
  EXPECT_EQ(report.between_tokens.count, 4);
  EXPECT_EQ(report.between_tokens.p50, 0.1);
  EXPECT_EQ(report.errors.at("reset"), 2);
  EXPECT_EQ(report.errors.size(), 2u);
}

TEST(LoadReport, DifferentErrorsAreKeptWithinALimit) {
  LoadResult result;
  for (int i = 0; i < 100; ++i) result.samples.push_back(Failed(std::to_string(i)));
  result.samples.push_back(Failed("3"));
  const LoadReport report = MakeReport(result);
  EXPECT_EQ(report.failed, 101);
  EXPECT_EQ(report.errors.size(), 20u);
  EXPECT_EQ(report.errors.at("3"), 2);
}

TEST(LoadReport, AsText) {
  EXPECT_EQ(ReportText(Example()),
            "m: 2 completed, 1 refused (429), 3 failed in 2.0 s\n"
            "1.00 requests/s, 3.0 output tokens/s, 13.0 tokens/s in all\n"
            "prompts of 20 tokens, 12 of them cached; answers of 6 tokens\n"
            "\n"
            "milliseconds               mean        p50        p90        p99        max\n"
            "first token               200.0      100.0      300.0      300.0      300.0\n"
            "between tokens            125.0      100.0      200.0      200.0      200.0\n"
            "whole answer              450.0      400.0      500.0      500.0      500.0\n"
            "\n"
            "failed 1 times: HTTP 500: \"x\"\n"
            "failed 2 times: reset\n");
}

TEST(LoadReport, AsJson) {
  const OrderedJson json = ReportJson(Example());
  EXPECT_EQ(json["output_tokens_per_second"], 3.0);
  EXPECT_EQ(json["tokens_per_second"], 13.0);
  EXPECT_EQ(json["first_token_ms"]["p50"], 100.0);
  EXPECT_EQ(json["errors"][1]["count"], 2);
  EXPECT_EQ(ReportJson(MakeReport({}))["requests_per_second"], 0);
}

}  // namespace
}  // namespace ringlet
