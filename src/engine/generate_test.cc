#include "engine/generate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ringlet {
namespace {

constexpr int32_t kEnd = 9;

// A model whose next token is a script: after n tokens in all it prefers script[n]. Ids stand for
// the strings of `pieces`.
struct FakeModel {
  std::vector<int32_t> script;
  std::vector<std::string> pieces = {"a", "b", "EN", "D", "\xE2\x82", "\xAC", "x", "y", "z", "<e>"};
  std::vector<int32_t> held;
  std::vector<size_t> feeds;
  std::string shown;
  int64_t prefill_done = 0;
  int cancel_after = -1;
  Status feed_error;

  GenerateHooks Hooks() {
    GenerateHooks hooks;
    hooks.feed = [this](std::span<const int32_t> tokens, const GenerateHooks::LogitsFn& on_logits) {
      if (!feed_error.ok()) return feed_error;
      held.insert(held.end(), tokens.begin(), tokens.end());
      feeds.push_back(tokens.size());
      if (!on_logits) return Status::Ok();
      std::vector<float> logits(pieces.size() + 2, 0.0f);
      logits.back() = 50;  // padding that must not be drawn
      const size_t at = held.size() - 1;
      const int32_t wanted = at < script.size() ? script[at] : kEnd;
      if (wanted >= 0) {
        logits[wanted] = 20;
      } else {
        for (float& logit : logits) logit = std::numeric_limits<float>::quiet_NaN();
      }
      on_logits(logits);
      return Status::Ok();
    };
    hooks.token_bytes = [this](int32_t id) { return pieces.at(id); };
    hooks.on_text = [this](std::string_view text) { shown += text; };
    hooks.on_prefill = [this](int64_t done, int64_t) { prefill_done = done; };
    hooks.cancelled = [this] { return cancel_after >= 0 && std::ssize(held) >= cancel_after; };
    return hooks;
  }

  GenerateOptions Options() const {
    GenerateOptions options;
    options.sampler.temperature = 0;
    options.end_ids = {kEnd};
    options.vocab = std::ssize(pieces);
    return options;
  }
};

using Ids = std::vector<int32_t>;

TEST(GenerateTest, FeedsInPiecesAndStopsAtTheEndToken) {
  FakeModel model;
  model.script = {8, 8, 8, 0, 1, 4, 5, kEnd};  // the prompt is 5 long, so script[4] comes first
  GenerateOptions options = model.Options();
  options.prefill_rows = 2;
  const auto result = Generate(Ids{6, 6, 6, 6, 6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->tokens, (Ids{1, 4, 5}));
  EXPECT_EQ(result->text, "b\u20AC");
  EXPECT_EQ(model.shown, result->text);
  EXPECT_EQ(result->finish, FinishReason::kEndToken);
  EXPECT_EQ(result->end_token, kEnd);
  EXPECT_EQ(result->prefill_tokens, 5);
  EXPECT_EQ(model.prefill_done, 5);
  EXPECT_EQ(model.held, (Ids{6, 6, 6, 6, 6, 1, 4, 5}));
  EXPECT_EQ(model.feeds, (std::vector<size_t>{2, 2, 1, 1, 1, 1}));
}

TEST(GenerateTest, SkipsCachedTokens) {
  FakeModel model;
  model.held = {6, 6, 6};
  model.script = {0, 0, 0, 0, 2, kEnd};
  const auto result = Generate(Ids{6, 6, 6, 6, 6}, 3, model.Options(), model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens, Ids{2});
  EXPECT_EQ(result->cached_tokens, 3);
  EXPECT_EQ(result->prefill_tokens, 2);
  EXPECT_EQ(model.feeds.front(), 2u);
}

TEST(GenerateTest, StopStringAcrossTokens) {
  FakeModel model;
  model.script = {0, 2, 3, 1};
  GenerateOptions options = model.Options();
  options.stop = {"END"};
  const auto result = Generate(Ids{6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->text, "a");
  EXPECT_EQ(model.shown, "a");
  EXPECT_EQ(result->stop, "END");
  EXPECT_EQ(result->finish, FinishReason::kStopString);
  EXPECT_EQ(result->tokens, (Ids{0, 2, 3}));

  model = FakeModel();
  model.script = {0, 2, 1};  // "EN" turns out not to be a stop
  const auto other = Generate(Ids{6}, 0, options, model.Hooks());
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(model.shown, "aENb");
}

TEST(GenerateTest, LimitsEndTheAnswer) {
  FakeModel model;
  model.script.assign(100, 4);  // a character that is never finished
  GenerateOptions options = model.Options();
  options.max_tokens = 1;
  auto result = Generate(Ids{6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens, Ids{4});
  EXPECT_EQ(result->text, "\uFFFD");
  EXPECT_EQ(result->finish, FinishReason::kLength);
  EXPECT_EQ(model.held, Ids{6}) << "the last token is not computed for nothing";

  model.held.clear();
  options.max_tokens = 0;
  result = Generate(Ids{6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->tokens.empty());

  model.held.clear();
  options.max_tokens = -1;
  options.max_length = 5;
  result = Generate(Ids{6, 6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens.size(), 3u);
  EXPECT_EQ(result->finish, FinishReason::kLength);
  const auto too_long = Generate(Ids(6, 6), 0, options, model.Hooks());
  EXPECT_EQ(too_long.status().message(),
            "prompt: found 6 tokens, expected at most 5, the model's longest context");
}

TEST(GenerateTest, IgnoreEndDrawsTheNextBest) {
  FakeModel model;
  model.script = {kEnd, kEnd, kEnd, kEnd};
  GenerateOptions options = model.Options();
  options.ignore_end = true;
  options.max_tokens = 3;
  const auto result = Generate(Ids{6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tokens, (Ids{0, 0, 0}));
}

TEST(GenerateTest, CancelKeepsWhatThereIs) {
  FakeModel model;
  model.script.assign(100, 0);
  model.cancel_after = 6;
  GenerateOptions options = model.Options();
  auto result = Generate(Ids{6, 6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->finish, FinishReason::kCancelled);
  EXPECT_EQ(result->text, "aaaaa");

  model.held.clear();
  model.cancel_after = 2;
  options.prefill_rows = 2;
  result = Generate(Ids{6, 6, 6}, 0, options, model.Hooks());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->finish, FinishReason::kCancelled);
  EXPECT_TRUE(result->tokens.empty());
  EXPECT_EQ(model.held.size(), 2u);
}

TEST(GenerateTest, ErrorsComeBack) {
  FakeModel model;
  EXPECT_FALSE(Generate(Ids{}, 0, model.Options(), model.Hooks()).ok());

  model.script = {0, -1};
  const auto broken = Generate(Ids{6}, 0, model.Options(), model.Hooks());
  ASSERT_FALSE(broken.ok());
  EXPECT_NE(broken.status().message().find("logits after token 2"), std::string::npos);

  model.script = {0, 0};
  GenerateOptions banned = model.Options();
  for (int32_t id = 0; id < 100; ++id) (void)SetLogitBias(banned.sampler, id, -100, "");
  const auto nothing = Generate(Ids{6}, 0, banned, model.Hooks());
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.status().message(),
            "answer after token 1: found no token that may be drawn, expected one that the biases "
            "and min_tokens do not ban");

  GenerateOptions options = model.Options();
  options.sampler.top_p = 2;
  EXPECT_FALSE(Generate(Ids{6}, 0, options, model.Hooks()).ok());

  model.feed_error = Status(StatusCode::kResource, "no memory");
  EXPECT_EQ(Generate(Ids{6}, 0, model.Options(), model.Hooks()).status().message(), "no memory");
}

}  // namespace
}  // namespace ringlet
