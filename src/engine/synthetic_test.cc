#include "engine/synthetic.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/sequence_state.h"
#include "model/checkpoint.h"
#include "model/packed.h"
#include "model/presets.h"
#include "model/random_checkpoint.h"

namespace ringlet {
namespace {

class SyntheticTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 fmt::format("ringlet-synthetic-{}-{}", ::getpid(), GetParam());
    const Result<const Preset*> preset = FindPreset(GetParam());
    ASSERT_TRUE(preset.ok()) << preset.status().message();
    const Result<OrderedJson> json = PresetJson(**preset);
    ASSERT_TRUE(json.ok());
    const Status written = WriteRandomCheckpoint(*json, "", directory_, {});
    ASSERT_TRUE(written.ok()) << written.message();
    Result<Checkpoint> checkpoint = OpenCheckpoint(directory_);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    auto model = Model::Load(std::move(checkpoint).value(), *context_, {});
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = std::move(model).value();
    engine_ = std::make_unique<Engine>(model_, context_, EngineOptions{});
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Sequence Synthetic(int64_t length, uint64_t seed = 3) {
    Result<Sequence> sequence = SyntheticSequence(*model_, *context_, length, seed);
    EXPECT_TRUE(sequence.ok()) << sequence.status().message();
    return std::move(sequence).value();
  }

  // Logits of every row of `tokens`, fed `step` at a time.
  std::vector<float> Continue(Sequence& sequence, const std::vector<int32_t>& tokens, size_t step) {
    std::vector<float> out;
    for (size_t at = 0; at < tokens.size(); at += step) {
      Feed feed;
      feed.sequence = &sequence;
      feed.tokens = std::span(tokens).subspan(at, std::min(step, tokens.size() - at));
      feed.rows = LogitRows::kAll;
      feed.on_logits = [&](int64_t, std::span<const float> logits) {
        out.insert(out.end(), logits.begin(), logits.end());
      };
      EXPECT_TRUE(engine_->Step(std::span(&feed, 1)).ok());
    }
    return out;
  }

  std::filesystem::path directory_;
  std::shared_ptr<Context> context_ = std::make_shared<Context>(IsaChoice::Detect(), 2);
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Engine> engine_;
};

const std::vector<int32_t> kMore = {5, 6, 7, 8, 9, 10, 11};

TEST_P(SyntheticTest, RowsAfterItAreFiniteAndKeepTheContract) {
  for (const int64_t length : {0, 1, 63, 64, 250}) {
    Sequence sequence = Synthetic(length);
    EXPECT_EQ(sequence.length(), length);
    Sequence again = Synthetic(length);
    Sequence other = Synthetic(length, 4);
    const std::vector<float> logits = Continue(sequence, kMore, 1);
    ASSERT_EQ(static_cast<int64_t>(logits.size()),
              static_cast<int64_t>(kMore.size()) * model_->config().vocab);
    for (const float logit : logits) ASSERT_TRUE(std::isfinite(logit));
    EXPECT_EQ(sequence.length(), length + static_cast<int64_t>(kMore.size()));
    EXPECT_EQ(logits, Continue(again, kMore, kMore.size())) << length;
    if (length > 0) {
      EXPECT_NE(logits, Continue(other, kMore, 1)) << length;
    }
  }
}

TEST_P(SyntheticTest, PagesAreMemoryOfTheirOwn) {
  const Sequence sequence = Synthetic(1000);
  const SequenceState& state = sequence.state();
  ASSERT_EQ(state.pages.size(), 16u);
  std::set<const std::byte*> addresses;
  int64_t bytes = 0;
  for (const auto& page : state.pages) {
    addresses.insert(page->data.data());
    bytes += static_cast<int64_t>(page->data.size());
  }
  EXPECT_EQ(addresses.size(), 16u);
  EXPECT_EQ(bytes, PageBytes(*model_, 1000));
  if (bytes == 0) return;
  const auto& pages = state.pages;
  EXPECT_NE(0, std::memcmp(pages[0]->data.data(), pages[1]->data.data(), pages[0]->data.size()));
}

TEST_P(SyntheticTest, PrefixesShareAndDoNotDisturb) {
  Sequence whole = Synthetic(300);
  Sequence untouched = Synthetic(300);
  for (const int64_t length : {0, 100, 128, 300}) {
    Sequence prefix = SyntheticPrefix(*model_, whole, length, 1);
    EXPECT_EQ(prefix.length(), length);
    for (const float logit : Continue(prefix, kMore, 3)) ASSERT_TRUE(std::isfinite(logit));
  }
  EXPECT_EQ(Continue(whole, kMore, 1), Continue(untouched, kMore, 1));
}

TEST_P(SyntheticTest, CanBeRolledBack) {
  Sequence sequence = Synthetic(130);
  const std::vector<float> logits = Continue(sequence, kMore, 1);
  ASSERT_TRUE(engine_->Rollback(sequence, 130).ok());
  EXPECT_EQ(logits, Continue(sequence, kMore, 1));
}

TEST_P(SyntheticTest, WhatDoesNotFitIsAnError) {
  if (PageBytes(*model_, 64) == 0) return;
  const auto sequence = SyntheticSequence(*model_, *context_, int64_t{1} << 40, 1);
  ASSERT_FALSE(sequence.ok());
  EXPECT_EQ(sequence.status().code(), StatusCode::kResource);
}

INSTANTIATE_TEST_SUITE_P(Presets, SyntheticTest, testing::Values("tiny-hybrid", "tiny-qwen3"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace ringlet
