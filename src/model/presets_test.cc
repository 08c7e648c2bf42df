// Presets and the counts that are published for their models.
#include "model/presets.h"

#include <gtest/gtest.h>

#include "model/model_stats.h"

namespace ringlet {
namespace {

ModelStats StatsOf(std::string_view name) {
  return CountParameters(PresetConfig(*FindPreset(name).value()).value());
}

TEST(Presets, AllMap) {
  for (const Preset& preset : Presets()) {
    const auto config = PresetConfig(preset);
    ASSERT_TRUE(config.ok()) << preset.name << ": " << config.status().message();
    EXPECT_FALSE(config->eos_ids.empty()) << preset.name;
  }
}

TEST(Presets, UnknownNameListsTheNames) {
  const auto preset = FindPreset("ring-maxi");
  ASSERT_FALSE(preset.ok());
  EXPECT_EQ(preset.status().code(), StatusCode::kNotFound);
  EXPECT_NE(
      preset.status().message().find("found \"ring-maxi\", expected one of ring-mini-linear, "),
      std::string::npos)
      << preset.status().message();
}

TEST(ModelStats, RingMiniLinear) {
  const ModelStats stats = StatsOf("ring-mini-linear");
  EXPECT_EQ(stats.total, 16'423'443'456);                   // 16.423 B
  EXPECT_EQ(stats.active, 1'600'773'120);                   // 1,600.8 M
  EXPECT_EQ(stats.active_without_embeddings, 956'947'456);  // 956.9 M
  EXPECT_EQ(stats.kv_bytes_per_token, 8 * 1024);
  EXPECT_EQ(stats.state_bytes_per_sequence, 16 * 1024 * 1024);
  EXPECT_EQ(stats.tail_bytes_per_sequence, 16 * 1024 * 1024);
  EXPECT_EQ(stats.mtp, 0);
}

TEST(ModelStats, RingFlashLinear) {
  const ModelStats stats = StatsOf("ring-flash-linear");
  EXPECT_EQ(stats.total, 104'181'657'600);                    // 104.18 B
  EXPECT_EQ(stats.active, 7'444'230'144);                     // 7,444 M
  EXPECT_EQ(stats.active_without_embeddings, 6'156'578'816);  // 6,157 M
  EXPECT_EQ(stats.kv_bytes_per_token, 8 * 1024);
  EXPECT_EQ(stats.state_bytes_per_sequence, 56 * 1024 * 1024);
}

TEST(ModelStats, LingMini) {
  const ModelStats stats = StatsOf("ling-mini");
  EXPECT_EQ(stats.total, 16'255'638'528);                   // 16.256 B
  EXPECT_EQ(stats.active, 1'432'968'192);                   // 1.433 B
  EXPECT_EQ(stats.active_without_embeddings, 789'142'528);  // 789 M
  EXPECT_EQ(stats.kv_bytes_per_token, 40 * 1024);
  EXPECT_EQ(stats.state_bytes_per_sequence, 0);
  EXPECT_EQ(stats.tail_bytes_per_sequence, 0);
}

// Sizes chosen for measuring training.
TEST(ModelStats, TrainingShapes) {
  const ModelStats hybrid = StatsOf("hybrid-100m");
  EXPECT_EQ(hybrid.total, 102'308'864);
  EXPECT_EQ(hybrid.active, 42'589'184);
  const ModelStats dense = StatsOf("dense-23m");
  EXPECT_EQ(dense.total, 23'174'400);
  EXPECT_EQ(dense.active, dense.total);
}

// Totals that transformers reports for these models.
TEST(ModelStats, DenseModels) {
  EXPECT_EQ(StatsOf("qwen3-8b").total, 8'190'735'360);
  EXPECT_EQ(StatsOf("qwen3-32b").total, 32'762'123'264);
  EXPECT_EQ(StatsOf("llama-3.1-8b").total, 8'030'261'248);
  const ModelStats smol = StatsOf("smollm2-135m");
  EXPECT_EQ(smol.total, 134'515'008);
  EXPECT_EQ(smol.active, smol.total);
  EXPECT_EQ(smol.total - smol.active_without_embeddings, 49152 * 576);  // tied: once
}

TEST(ModelStats, MtpLayersCountInTheTotalOnly) {
  ModelConfig config = PresetConfig(*FindPreset("ling-mini").value()).value();
  const ModelStats without = CountParameters(config);
  config.mtp_layers = 1;
  const ModelStats with = CountParameters(config);
  EXPECT_EQ(with.active, without.active);
  EXPECT_EQ(with.total, without.total + with.mtp);
  EXPECT_NEAR(static_cast<double>(with.mtp), 0.83e9, 0.01e9);
}

}  // namespace
}  // namespace ringlet
