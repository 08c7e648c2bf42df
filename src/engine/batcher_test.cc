// The batcher's promise: whatever shares its steps, whatever is reused, evicted, preempted or
// cancelled beside it, a job's answer and log-probabilities are those it has alone.
#include "engine/batcher.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/sanitizer.h"
#include "engine/batch_thread.h"
#include "model/checkpoint.h"
#include "model/presets.h"
#include "model/random_checkpoint.h"

namespace ringlet {
namespace {

constexpr int64_t kContext = 640;
constexpr int kJobs = kSanitized ? 24 : 120;

std::string Piece(int32_t id) { return fmt::format("<{}>", id); }

struct Answer {
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<TokenLogprobs> logprobs;
  FinishReason finish = FinishReason::kCancelled;
  bool operator==(const Answer&) const = default;
};

// Collects what a job tells, and checks that it is told in order.
class Collector : public JobListener {
 public:
  void OnPrompt(int64_t done, const JobStatistics& now) override {
    EXPECT_FALSE(ended);
    EXPECT_LT(done, now.prompt_tokens);
    ++prompts;
  }
  void OnToken(std::string_view text, const Decoding& decoding) override {
    EXPECT_FALSE(ended);
    answer.text += text;
    shown = std::ssize(decoding.answer());
  }
  void OnEnd(const End& end) override {
    EXPECT_FALSE(ended);
    ended = true;
    status = end.status;
    answer.text += end.text;
    answer.tokens.assign(end.decoding.answer().begin(), end.decoding.answer().end());
    answer.logprobs = end.decoding.logprobs();
    if (end.decoding.finish()) answer.finish = *end.decoding.finish();
    statistics = end.statistics;
    scores = end.prompt_scores;
    hidden = end.mean_hidden;
  }

  Answer answer;
  Status status;
  JobStatistics statistics;
  std::vector<TokenLogprobs> scores;
  std::vector<double> hidden;
  int64_t shown = 0;
  int prompts = 0;
  bool ended = false;
};

class BatcherTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    directory_ =
        std::filesystem::temp_directory_path() / fmt::format("ringlet-batcher-{}", ::getpid());
    const OrderedJson json = PresetJson(*FindPreset(GetParam()).value()).value();
    ASSERT_TRUE(WriteRandomCheckpoint(json, "", directory_, {.seed = 3, .progress = {}}).ok());
    model_ = Model::Load(OpenCheckpoint(directory_).value(), *context_, {}).value();
    bytes_ = StateBytes::Of(*model_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // Room for the states of all sequences and for `tokens` tokens of pages and anchors.
  BatcherOptions Options(int64_t sequences, int64_t tokens) const {
    BatcherOptions options;
    options.max_sequences = sequences;
    options.context = kContext;
    options.max_step_rows = 128;
    // One context's pages and nothing else is the least there can be.
    const size_t anchor = tokens == kContext ? 0 : bytes_.anchor;
    options.memory_bytes = static_cast<size_t>(sequences) * (2 * bytes_.anchor + bytes_.tail) +
                           static_cast<size_t>(tokens / 64) * (bytes_.page + anchor);
    return options;
  }

  std::unique_ptr<Batcher> Make(const BatcherOptions& options) const {
    auto batcher = Batcher::Create(model_, context_, options);
    EXPECT_TRUE(batcher.ok()) << batcher.status().message();
    return std::move(batcher).value();
  }

  JobRequest Request(std::vector<int32_t> prompt, int64_t max_tokens, uint64_t seed) const {
    JobRequest request;
    request.prompt = std::move(prompt);
    request.options.max_tokens = max_tokens;
    request.options.sampler.seed = seed;
    request.options.sampler.temperature = seed % 3 == 0 ? 0 : 1;
    request.options.sampler.repeat_penalty = 1.1;
    request.options.end_ids = {1};
    request.options.top_logprobs = 2;
    if (seed % 5 == 0) request.options.stop = {Piece(7), "1>"};
    request.token_bytes = Piece;
    return request;
  }

  std::vector<int32_t> Text(Rng& rng, int64_t length) const {
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < length; ++i) tokens.push_back(static_cast<int32_t>(rng.Below(200)) + 2);
    return tokens;
  }

  // A prompt that begins like one of a few texts.
  std::vector<int32_t> Prompt(Rng& rng, const std::vector<std::vector<int32_t>>& documents) const {
    const std::vector<int32_t>& document = documents[rng.Below(documents.size())];
    std::vector<int32_t> prompt(
        document.begin(), document.begin() + static_cast<int64_t>(rng.Below(document.size())));
    const std::vector<int32_t> own = Text(rng, 1 + static_cast<int64_t>(rng.Below(90)));
    prompt.insert(prompt.end(), own.begin(), own.end());
    return prompt;
  }

  // On an engine and a thread of its own.
  Answer Alone(const JobRequest& request) const {
    Engine engine(model_, std::make_shared<Context>(IsaChoice::Detect(), 1), {});
    Sequence sequence = engine.NewSequence();
    Answer answer;
    Decoding decoding(request.prompt, request.options, context_->isa, request.token_bytes);
    while (!decoding.finished()) {
      const std::vector<int32_t> tokens(decoding.tokens().begin() + sequence.length(),
                                        decoding.tokens().end());
      const Feed feed{.sequence = &sequence,
                      .tokens = tokens,
                      .rows = LogitRows::kLast,
                      .on_logits = [&](int64_t, std::span<const float> logits) {
                        EXPECT_TRUE(decoding.Accept(logits, answer.text).ok());
                      }};
      EXPECT_TRUE(engine.Step(std::span(&feed, 1)).ok());
    }
    answer.tokens.assign(decoding.answer().begin(), decoding.answer().end());
    answer.logprobs = decoding.logprobs();
    answer.finish = *decoding.finish();
    return answer;
  }

  std::filesystem::path directory_;
  std::shared_ptr<Context> context_ = std::make_shared<Context>(IsaChoice::Detect(), 2);
  std::shared_ptr<const Model> model_;
  StateBytes bytes_;
};

TEST_P(BatcherTest, AnswersAreThoseOfJobsAlone) {
  for (const bool reuse : {true, false}) {
    for (const int64_t room : {kContext, 8 * kContext}) {
      SCOPED_TRACE(fmt::format("reuse {}, room for {} tokens", reuse, room));
      Rng rng(static_cast<uint64_t>(room) + (reuse ? 1 : 0));
      const std::vector<std::vector<int32_t>> documents = {Text(rng, 300), Text(rng, 200),
                                                           Text(rng, 90)};
      BatcherOptions options = Options(6, room);
      options.reuse = reuse;
      const std::unique_ptr<Batcher> batcher = Make(options);
      std::vector<JobRequest> requests;
      std::vector<std::shared_ptr<Collector>> collectors;
      std::set<int> cancelled;
      for (int i = 0; i < kJobs; ++i) {
        requests.push_back(Request(Prompt(rng, documents), 1 + static_cast<int64_t>(rng.Below(150)),
                                   static_cast<uint64_t>(i)));
        collectors.push_back(std::make_shared<Collector>());
        ASSERT_TRUE(batcher->Check(requests.back()).ok());
        batcher->Submit(static_cast<JobId>(i + 1), requests.back(), collectors.back());
        for (uint64_t steps = rng.Below(12); steps > 0; --steps) batcher->Step();
        ASSERT_LE(batcher->statistics().memory_bytes, options.memory_bytes);
        if (rng.Below(8) != 0) continue;
        const int which = static_cast<int>(rng.Below(static_cast<uint64_t>(i + 1)));
        if (collectors[which]->ended) continue;
        batcher->Cancel(static_cast<JobId>(which + 1));
        EXPECT_TRUE(collectors[which]->ended);
        cancelled.insert(which);
      }
      while (batcher->Step()) {
      }
      for (int i = 0; i < kJobs; ++i) {
        SCOPED_TRACE(i);
        ASSERT_TRUE(collectors[i]->ended);
        EXPECT_TRUE(collectors[i]->status.ok());
        if (cancelled.contains(i)) {
          EXPECT_EQ(collectors[i]->answer.finish, FinishReason::kCancelled);
          continue;
        }
        EXPECT_TRUE(collectors[i]->answer == Alone(requests[i]));
      }
      const BatcherStatistics statistics = batcher->statistics();
      EXPECT_EQ(statistics.running + statistics.waiting, 0);
      EXPECT_EQ(statistics.finished + statistics.cancelled, static_cast<uint64_t>(kJobs));
      if (reuse && room > kContext) {
        EXPECT_GT(statistics.reused_tokens, 0u);
      } else if (!reuse) {
        EXPECT_EQ(statistics.reused_tokens, 0u);
      }
      if (room == kContext) {
        EXPECT_GT(statistics.preemptions, 0u) << "nothing was preempted";
      }
    }
  }
}

TEST_P(BatcherTest, ConversationsComputeTheirNewTokensOnly) {
  const std::unique_ptr<Batcher> batcher = Make(Options(2, 16 * kContext));
  Rng rng(5);
  std::vector<int32_t> conversation = Text(rng, 400);
  JobId id = 0;
  for (int turn = 0; turn < 6; ++turn) {
    const auto collector = std::make_shared<Collector>();
    batcher->Submit(++id, Request(conversation, 12, 1), collector);
    while (batcher->Step()) {
    }
    ASSERT_TRUE(collector->ended);
    EXPECT_TRUE(collector->answer == Alone(Request(conversation, 12, 1)));
    if (turn > 0) {
      EXPECT_LT(collector->statistics.computed_tokens, 12 + 20 + 64);
    }
    const auto& answer = collector->answer.tokens;
    conversation.insert(conversation.end(), answer.begin(), answer.end());
    const std::vector<int32_t> question = Text(rng, 20);
    conversation.insert(conversation.end(), question.begin(), question.end());
  }
  // An early message is edited: what comes before it is reused up to an anchor of the grid.
  conversation.resize(390);
  conversation[380] = conversation[380] == 5 ? 6 : 5;
  const auto collector = std::make_shared<Collector>();
  batcher->Submit(++id, Request(conversation, 4, 1), collector);
  while (batcher->Step()) {
  }
  EXPECT_TRUE(collector->answer == Alone(Request(conversation, 4, 1)));
}

TEST_P(BatcherTest, JobsThatBeginAlikeWaitForTheFirst) {
  const std::unique_ptr<Batcher> batcher = Make(Options(4, 16 * kContext));
  Rng rng(6);
  const std::vector<int32_t> prompt = Text(rng, 300);
  std::vector<std::shared_ptr<Collector>> collectors;
  for (JobId id = 1; id <= 4; ++id) {
    collectors.push_back(std::make_shared<Collector>());
    batcher->Submit(id, Request(prompt, 3, id), collectors.back());
  }
  while (batcher->Step()) {
  }
  for (size_t i = 0; i < collectors.size(); ++i) {
    EXPECT_TRUE(collectors[i]->answer == Alone(Request(prompt, 3, i + 1)));
    if (i > 0) {
      EXPECT_GE(collectors[i]->statistics.cached_tokens, 256);
    }
  }
}

TEST_P(BatcherTest, PromptScoresAreThoseOfTheModel) {
  const std::unique_ptr<Batcher> batcher = Make(Options(2, 16 * kContext));
  Rng rng(8);
  const std::vector<int32_t> prompt = Text(rng, 150);
  JobRequest request = Request(prompt, 0, 1);
  request.score_prompt = true;
  request.mean_hidden = true;
  std::vector<std::shared_ptr<Collector>> collectors;
  for (JobId id = 1; id <= 2; ++id) {
    collectors.push_back(std::make_shared<Collector>());
    batcher->Submit(id, request, collectors.back());
  }
  while (batcher->Step()) {
  }
  Engine engine(model_, context_, {.max_step_rows = 1});
  Sequence sequence = engine.NewSequence();
  std::vector<TokenLogprobs> expected;
  std::vector<double> hidden(static_cast<size_t>(model_->config().hidden));
  const Feed feed{.sequence = &sequence,
                  .tokens = prompt,
                  .rows = LogitRows::kAll,
                  .on_logits =
                      [&](int64_t row, std::span<const float> logits) {
                        if (row + 1 == std::ssize(prompt)) return;
                        expected.push_back(ScoreToken(context_->isa, logits,
                                                      prompt[static_cast<size_t>(row + 1)], 2, 0));
                      },
                  .on_hidden =
                      [&](int64_t, std::span<const float> row) {
                        for (size_t i = 0; i < row.size(); ++i) hidden[i] += row[i];
                      }};
  ASSERT_TRUE(engine.Step(std::span(&feed, 1)).ok());
  for (double& value : hidden) value /= static_cast<double>(prompt.size());
  for (const auto& collector : collectors) {
    EXPECT_TRUE(collector->ended);
    EXPECT_TRUE(collector->answer.tokens.empty());
    EXPECT_EQ(collector->scores, expected);
    EXPECT_EQ(collector->hidden, hidden);
  }
}

TEST_P(BatcherTest, WhatCanNeverRunIsRefused) {
  BatcherOptions options = Options(2, kContext);
  const std::unique_ptr<Batcher> batcher = Make(options);
  EXPECT_FALSE(batcher->Check(Request({}, 1, 1)).ok());
  EXPECT_FALSE(batcher->Check(Request(std::vector<int32_t>(kContext + 1, 5), 1, 1)).ok());
  EXPECT_EQ(batcher->Check(Request({5, -1}, 1, 1)).message(),
            fmt::format("prompt: [1]: found id -1, expected 0 to {}", model_->config().vocab - 1));
  options.memory_bytes /= 4;
  const auto small = Batcher::Create(model_, context_, options);
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.status().code(), StatusCode::kResource);
}

TEST_P(BatcherTest, ThreadServesManyCallers) {
  BatchThread thread(Make(Options(4, 4 * kContext)), kJobs);
  std::vector<JobRequest> requests;
  std::vector<std::shared_ptr<Collector>> collectors(kJobs / 2);
  Rng rng(9);
  for (size_t i = 0; i < collectors.size(); ++i) {
    requests.push_back(Request(Text(rng, 1 + static_cast<int64_t>(rng.Below(80))), 10, i));
  }
  std::vector<std::thread> callers;
  for (size_t c = 0; c < 4; ++c) {
    callers.emplace_back([&, c] {
      for (size_t i = c; i < collectors.size(); i += 4) {
        collectors[i] = std::make_shared<Collector>();
        EXPECT_TRUE(thread.Submit({{requests[i], collectors[i]}}).ok());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  while (thread.unfinished() > 0) std::this_thread::yield();
  thread.Run([](Batcher& batcher) { EXPECT_EQ(batcher.statistics().running, 0); });
  for (size_t i = 0; i < collectors.size(); ++i) {
    EXPECT_TRUE(collectors[i]->answer == Alone(requests[i])) << i;
  }
}

TEST_P(BatcherTest, AFullQueueRefusesAndTheEndCancels) {
  std::vector<std::shared_ptr<Collector>> collectors;
  int refused = 0;
  {
    BatchThread thread(Make(Options(1, 2 * kContext)), 2);
    for (int i = 0; i < 40; ++i) {
      auto collector = std::make_shared<Collector>();
      const auto id = thread.Submit({{Request(std::vector<int32_t>(64, 5), 500, 3), collector}});
      if (id.ok()) {
        collectors.push_back(collector);
      } else {
        EXPECT_EQ(id.status().code(), StatusCode::kResource);
        ++refused;
      }
    }
    thread.Cancel(1);
  }
  EXPECT_GT(refused, 0);
  for (const auto& collector : collectors) EXPECT_TRUE(collector->ended);
}

INSTANTIATE_TEST_SUITE_P(Presets, BatcherTest, testing::Values("tiny-hybrid", "tiny-qwen3"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace ringlet
