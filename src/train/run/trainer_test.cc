// Whole runs of a tiny model: interrupted and not, with other threads, to their end.
#include "train/run/trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "io/safetensors.h"
#include "train/data/test_data.h"
#include "train/store/checkpoint_store.h"

namespace ringlet {
namespace {

constexpr const char* kModel = R"(
[model]
preset = "tiny-hybrid"
[model.set]
vocab_size = 300
num_nextn_predict_layers = 0
hidden_size = 64
head_dim = 16
num_attention_heads = 4
num_key_value_heads = 2
num_hidden_layers = 3
layer_group_size = 2
)";

class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ShardBuildOptions options = TestOptions();
    options.held_out = 0.1;
    MakeData(dir_, "text", TestTexts(1, 200, 60), options);
  }

  RunConfig Config(const std::string& top = "steps = 12\n") {
    const std::string text = top +
                             "batch_tokens = 256\nmicro_batch_tokens = 128\n"
                             "[[data]]\npath = \"text\"\n[[stage]]\nsequence = 64\n"
                             "[optimizer]\nlr = 0.01\n"
                             "[checkpoint]\nevery_steps = 4\n"
                             "[evaluation]\nevery_steps = 5\ntokens = 128\n" +
                             kModel;
    Result<RunConfig> config = ParseRunConfig(text, "test.toml");
    EXPECT_TRUE(config.ok()) << config.status().message();
    config.value().directory = dir_.path() + "/";
    return config.value();
  }

  std::unique_ptr<Trainer> Open(const RunConfig& config, const std::string& name,
                                Context& context) {
    auto trainer = Trainer::Open(config, dir_.path() + "/" + name, context, {});
    EXPECT_TRUE(trainer.ok()) << trainer.status().message();
    return trainer.ok() ? std::move(*trainer) : nullptr;
  }

  // All losses of the steps up to `end`.
  static std::vector<double> Losses(Trainer& trainer, int64_t end) {
    std::vector<double> losses;
    while (trainer.run().step() < end) {
      const auto record = trainer.Step();
      EXPECT_TRUE(record.ok()) << record.status().message();
      if (!record.ok()) break;
      losses.push_back(record->loss);
    }
    return losses;
  }

  static std::vector<float> Weights(const Trainer& trainer) {
    std::vector<float> all;
    for (const Parameter& parameter : trainer.run().parameters().all()) {
      all.insert(all.end(), parameter.value, parameter.value + parameter.size());
    }
    return all;
  }

  TempDir dir_;
};

TEST_F(TrainerTest, InterruptedRunsComputeTheSameBits) {
  const RunConfig config = Config();
  Context one(IsaChoice::Detect(), 1);
  const auto whole = Open(config, "whole", one);
  ASSERT_NE(whole, nullptr);
  const std::vector<double> want = Losses(*whole, 12);
  ASSERT_TRUE(whole->done());
  EXPECT_LT(want.back(), want.front());

  // Stops without a last checkpoint, at steps between two, each time with other threads.
  std::vector<double> got(12);
  int threads = 1;
  for (const int64_t stop : {3, 6, 9, 12}) {
    Context context(IsaChoice::Detect(), threads++);
    const auto part = Open(config, "parts", context);
    ASSERT_NE(part, nullptr);
    EXPECT_EQ(part->resumed_at(), (stop - 3) / 4 * 4);
    const std::vector<double> losses = Losses(*part, stop);
    std::ranges::copy(losses, got.begin() + part->resumed_at());
    if (stop == 12) {
      EXPECT_EQ(Weights(*part), Weights(*whole));
    }
  }
  EXPECT_EQ(got, want);
  const auto history = ReadRunLog(dir_.path() + "/parts/log.jsonl");
  ASSERT_TRUE(history.ok()) << history.status().message();
  ASSERT_EQ(history->steps.size(), 12u);
  EXPECT_EQ(history->starts.size(), 4u);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(history->steps[i].loss, want[i]);
  EXPECT_TRUE(history->steps[4].heldout_loss.has_value());
}

TEST_F(TrainerTest, RecomputationChangesNothing) {
  std::vector<float> want;
  for (const Recompute recompute : {Recompute::kNone, Recompute::kAttention, Recompute::kBlock}) {
    RunConfig config = Config();
    config.recompute = recompute;
    Context context(IsaChoice::Detect(), 2);
    const auto trainer =
        Open(config, "recompute" + std::to_string(static_cast<int>(recompute)), context);
    ASSERT_NE(trainer, nullptr);
    Losses(*trainer, 3);
    if (want.empty()) want = Weights(*trainer);
    EXPECT_EQ(Weights(*trainer), want);
  }
}

TEST_F(TrainerTest, MergesTheLastWeights) {
  RunConfig config = Config();
  config.merge = {.count = 3, .every_steps = 2, .shape = DecayShape::kLinear};
  config.checkpoint.keep = 1;
  EXPECT_EQ(MergedSteps(config), (std::vector<int64_t>{8, 10, 12}));
  Context context(IsaChoice::Detect(), 2);
  const auto trainer = Open(config, "merge", context);
  ASSERT_NE(trainer, nullptr);
  std::vector<double> mean;
  for (const int64_t step : {8, 10, 12}) {
    Losses(*trainer, step);
    const std::vector<float> weights = Weights(*trainer);
    mean.resize(weights.size());
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += weights[i] / 3.0;
  }
  const auto outcome = trainer->Finish();
  ASSERT_TRUE(outcome.ok()) << outcome.status().message();
  EXPECT_EQ(outcome->merged, 3);
  ASSERT_TRUE(outcome->heldout.has_value());
  const std::vector<float> merged = Weights(*trainer);
  for (size_t i = 0; i < mean.size(); ++i) {
    ASSERT_NEAR(merged[i], mean[i], 1e-6 * (1 + std::abs(mean[i])));
  }
  EXPECT_TRUE(FileExists(outcome->model + "/config.json"));
  EXPECT_TRUE(FileExists(outcome->model + "/README.md"));
  EXPECT_TRUE(FileExists(dir_.path() + "/merge/report.html"));
  EXPECT_TRUE(Safetensors::Open(outcome->model + "/model.safetensors").ok());
}

TEST_F(TrainerTest, RefusesAnotherConfiguration) {
  Context context(IsaChoice::Detect(), 2);
  {
    const auto trainer = Open(Config(), "other", context);
    ASSERT_NE(trainer, nullptr);
    Losses(*trainer, 4);
  }
  const auto longer = Open(Config("steps = 20\n"), "other", context);
  ASSERT_NE(longer, nullptr);  // wsm: nothing before the end depends on its length
  EXPECT_EQ(longer->resumed_at(), 4);
  const auto locked = Trainer::Open(Config(), dir_.path() + "/other", context, {});
  EXPECT_EQ(locked.status().code(), StatusCode::kResource) << locked.status().message();
  const auto changed =
      Trainer::Open(Config("steps = 12\nseed = 5\n"), dir_.path() + "/fresh/deep", context, {});
  EXPECT_TRUE(changed.ok()) << changed.status().message();
}

TEST_F(TrainerTest, ErrorsNameWhatIsWrong) {
  Context context(IsaChoice::Detect(), 1);
  RunConfig config = Config();
  config.data[0].path = "nowhere";
  const auto missing = Trainer::Open(config, dir_.path() + "/x", context, {});
  EXPECT_NE(missing.status().message().find("nowhere"), std::string::npos)
      << missing.status().message();
  config = Config();
  for (TomlMember& member : config.model.set.members) {
    if (member.key == "vocab_size") member.value.integer = 100;
  }
  const auto small = Trainer::Open(config, dir_.path() + "/x", context, {});
  EXPECT_NE(small.status().message().find("vocabulary"), std::string::npos)
      << small.status().message();
}

// The damaged checkpoint is named, and the run goes on from the one before.
TEST_F(TrainerTest, GoesBackBeforeADamagedCheckpoint) {
  Context context(IsaChoice::Detect(), 2);
  std::vector<double> want;
  {
    const auto trainer = Open(Config(), "damaged", context);
    ASSERT_NE(trainer, nullptr);
    want = Losses(*trainer, 9);
  }
  const std::string file =
      dir_.path() + "/damaged/checkpoints/step-000000000008/weights.safetensors";
  auto bytes = ReadFile(file);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  bytes->at(bytes->size() / 2) ^= 1;
  ASSERT_TRUE(WriteFile(file, *bytes).ok());
  const auto trainer = Open(Config(), "damaged", context);
  ASSERT_NE(trainer, nullptr);
  ASSERT_EQ(trainer->damaged().size(), 1u);
  EXPECT_EQ(trainer->resumed_at(), 4);
  const std::vector<double> again = Losses(*trainer, 9);
  EXPECT_TRUE(std::equal(again.begin(), again.end(), want.begin() + 4));
}

}  // namespace
}  // namespace ringlet
