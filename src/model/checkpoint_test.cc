// Checkpoints on disk: written at random, opened again, and the small files beside them.
#include "model/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "model/model_stats.h"
#include "model/presets.h"
#include "model/random_checkpoint.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = (fs::temp_directory_path() /
                  ("ringlet_checkpoint_" + std::string(test->name()) + std::to_string(::getpid())))
                     .string();
    fs::remove_all(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  Status Write(std::string_view preset, const RandomCheckpointOptions& options = {}) {
    const Preset& found = *FindPreset(preset).value();
    return WriteRandomCheckpoint(PresetJson(found).value(), std::string(found.generation),
                                 directory_, options);
  }
  void Replace(const std::string& file, std::string_view text) {
    ASSERT_TRUE(WriteFile(directory_ + "/" + file, text).ok());
  }
  std::string Error() {
    const auto checkpoint = OpenCheckpoint(directory_);
    return checkpoint.ok() ? "" : checkpoint.status().message();
  }

  std::string directory_;
};

TEST_F(CheckpointTest, EveryTinyPresetOpens) {
  for (const char* preset : {"tiny-hybrid", "tiny-ling", "tiny-qwen3", "tiny-llama"}) {
    fs::remove_all(directory_);
    const Status status = Write(preset);
    ASSERT_TRUE(status.ok()) << status.message();
    const auto checkpoint = OpenCheckpoint(directory_);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ(checkpoint->gguf, nullptr);
    EXPECT_EQ(checkpoint->config.eos_ids, std::vector<int32_t>{1});
    // The files hold as many values as the counts say; expert biases are not parameters.
    int64_t values = 0;
    for (const std::string& name : checkpoint->tensors->Names()) {
      if (name.ends_with(".expert_bias")) continue;
      values += checkpoint->tensors->Find(name)->elements();
    }
    EXPECT_EQ(values, CountParameters(checkpoint->config).total) << preset;
    const auto config = ReadModelConfig(directory_);
    ASSERT_TRUE(config.ok());
    EXPECT_EQ(config->layers.size(), checkpoint->config.layers.size());
  }
}

TEST_F(CheckpointTest, ShardsHoldTheSameBytes) {
  ASSERT_TRUE(Write("tiny-ling").ok());
  const Checkpoint whole = OpenCheckpoint(directory_).value();
  const std::string first = directory_;
  directory_ += "_shards";
  uint64_t last_done = 0;
  uint64_t last_total = 0;
  RandomCheckpointOptions options{.shard_bytes = 200'000};
  options.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GT(done, last_done);
    last_done = done;
    last_total = total;
  };
  ASSERT_TRUE(Write("tiny-ling", options).ok());
  EXPECT_EQ(last_done, last_total);
  EXPECT_TRUE(FileExists(directory_ + "/model.safetensors.index.json"));
  const Checkpoint sharded = OpenCheckpoint(directory_).value();
  for (const std::string& name : whole.tensors->Names()) {
    const auto a = whole.tensors->Find(name)->data;
    const auto b = sharded.tensors->Find(name)->data;
    ASSERT_TRUE(std::ranges::equal(a, b)) << name;
  }
  fs::remove_all(first);
}

TEST_F(CheckpointTest, SeedsAndTypes) {
  ASSERT_TRUE(Write("tiny-llama", {.dtype = DType::kF32, .seed = 1}).ok());
  const Checkpoint one = OpenCheckpoint(directory_).value();
  EXPECT_EQ(one.weights.embedding.dtype(), DType::kF32);
  std::vector<float> a(64);
  one.weights.embedding.DecodeRow(5, a.data());
  fs::remove_all(directory_);
  ASSERT_TRUE(Write("tiny-llama", {.dtype = DType::kF32, .seed = 2}).ok());
  const Checkpoint two = OpenCheckpoint(directory_).value();
  std::vector<float> b(64);
  two.weights.embedding.DecodeRow(5, b.data());
  EXPECT_NE(a, b);
}

TEST_F(CheckpointTest, WeightsAreHealthy) {
  ASSERT_TRUE(Write("tiny-hybrid").ok());
  const Checkpoint checkpoint = OpenCheckpoint(directory_).value();
  double sum = 0;
  double squares = 0;
  const MatrixRef& qkv = checkpoint.weights.layers[0].attention.qkv;
  std::vector<float> row(static_cast<size_t>(qkv.cols));
  for (int64_t r = 0; r < qkv.rows; ++r) {
    qkv.DecodeRow(r, row.data());
    for (const float value : row) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
  }
  const double count = static_cast<double>(qkv.rows * qkv.cols);
  EXPECT_NEAR(sum / count, 0.0, 4.0 / 8.0 / std::sqrt(count));
  EXPECT_NEAR(squares / count * 64, 1.0, 0.05);  // variance 1 / columns
  std::vector<float> norm(64);
  DecodeRow(*checkpoint.weights.layers[0].input_norm, 0, norm.data());
  for (const float value : norm) EXPECT_NEAR(value, 1.0f, 0.2f);
  EXPECT_EQ(checkpoint.weights.layers[1].moe->expert_bias->dtype, DType::kF32);
}

TEST_F(CheckpointTest, RefusesToOverwrite) {
  ASSERT_TRUE(Write("tiny-llama").ok());
  const Status status = Write("tiny-llama");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("found a directory with files in it"), std::string::npos);
  EXPECT_TRUE(OpenCheckpoint(directory_).ok());
}

TEST_F(CheckpointTest, RefusesOptions) {
  EXPECT_FALSE(Write("tiny-llama", {.dtype = DType::kF16}).ok());
  EXPECT_FALSE(Write("tiny-llama", {.shard_bytes = 0}).ok());
  EXPECT_FALSE(Write("tiny-llama", {.scale = -1}).ok());
  EXPECT_FALSE(Write("tiny-llama", {.scale = NAN}).ok());
  EXPECT_FALSE(fs::exists(directory_));
}

TEST_F(CheckpointTest, EndTokensOfAllFiles) {
  ASSERT_TRUE(Write("tiny-llama").ok());
  Replace("generation_config.json",
          R"({"eos_token_id": [1, 9], "temperature": 0.6, "bos_token_id": 4})");
  Replace("tokenizer_config.json", R"({"eos_token": {"content": "<|role_end|>"},
      "added_tokens_decoder": {"20": {"content": "<|role_end|>"}, "21": {"content": "other"}}})");
  const ModelConfig config = ReadModelConfig(directory_).value();
  EXPECT_EQ(config.eos_ids, (std::vector<int32_t>{1, 9, 20}));
  EXPECT_EQ(config.bos_id, 4);
}

TEST_F(CheckpointTest, BadSmallFiles) {
  ASSERT_TRUE(Write("tiny-llama").ok());
  Replace("generation_config.json", R"({"eos_token_id": [1, 5000]})");
  EXPECT_NE(Error().find("eos_token_id: found 5000, expected an id below"), std::string::npos)
      << Error();
  Replace("generation_config.json", R"({"eos_token_id": "x"})");
  EXPECT_NE(Error().find("generation_config.json: eos_token_id: found \"x\""), std::string::npos)
      << Error();
  Replace("generation_config.json", "[");
  EXPECT_NE(Error().find("generation_config.json: found bad JSON"), std::string::npos) << Error();
  Replace("generation_config.json", "{}");
  Replace("tokenizer_config.json", "3");
  EXPECT_NE(Error().find("tokenizer_config.json: found an integer, expected an object"),
            std::string::npos)
      << Error();
  Replace("tokenizer_config.json", R"({"eos_token": 7, "added_tokens_decoder": {"x": 1}})");
  EXPECT_EQ(Error(), "");
  Replace("config.json", R"({"architectures": ["LlamaForCausalLM"], "architectures": []})");
  EXPECT_NE(Error().find("config.json: found key \"architectures\" twice"), std::string::npos)
      << Error();
}

TEST_F(CheckpointTest, Paths) {
  EXPECT_EQ(OpenCheckpoint("/no/such/model").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadModelConfig("/no/such/model").status().code(), StatusCode::kNotFound);
  fs::create_directories(directory_);
  EXPECT_NE(Error().find("config.json"), std::string::npos) << Error();
  Replace("model.gguf", "not one");
  EXPECT_FALSE(OpenCheckpoint(directory_ + "/model.gguf").ok());
}

}  // namespace
}  // namespace ringlet
