#include "train/config/run_model.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace ringlet {
namespace {

Result<RunModel> Resolve(const std::string& model) {
  Result<RunConfig> config = ParseRunConfig(model + "\n[[data]]\npath = \"a\"\n", "run.toml");
  EXPECT_TRUE(config.ok()) << config.status().message();
  config->directory = ::testing::TempDir() + "/";
  return ResolveRunModel(config.value());
}

TEST(RunModelTest, APresetIsChangedByKeysOfItsConfig) {
  const Result<RunModel> model = Resolve(R"([model]
preset = "tiny-hybrid"
[model.set]
vocab_size = 4096
rope_theta = 5e4)");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model.value().config.vocab, 4096);
  EXPECT_EQ(model.value().config.rope.theta, 5e4);
  EXPECT_EQ(model.value().json["vocab_size"], 4096);
}

TEST(RunModelTest, AConfigFileIsRelativeToTheRunsFile) {
  const Result<RunModel> preset = Resolve("[model]\npreset = \"tiny-hybrid\"");
  ASSERT_TRUE(preset.ok()) << preset.status().message();
  const std::string text = preset.value().json.dump();
  ASSERT_TRUE(WriteFile(::testing::TempDir() + "/run_model_test.json", text).ok());
  const Result<RunModel> file = Resolve("[model]\nconfig = \"run_model_test.json\"");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file.value().json, preset.value().json);
}

TEST(RunModelTest, WhatTheModelDoesNotKnowIsAnError) {
  EXPECT_EQ(Resolve("[model]\npreset = \"none\"").status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(Resolve("[model]\npreset = \"tiny-hybrid\"\n[model.set]\nhiden_size = 3").ok());
  EXPECT_FALSE(Resolve("[model.set]\nhidden_size = 3").ok());
  EXPECT_FALSE(Resolve("[model]\nconfig = \"no_such_file.json\"").ok());
}

}  // namespace
}  // namespace ringlet
