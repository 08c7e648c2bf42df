#include "cli/describe.h"

#include <gtest/gtest.h>

#include "cli/preset_name.h"

namespace ringlet::cli {
namespace {

ModelConfig WithMixers(std::string_view letters) {
  ModelConfig config;
  for (const char letter : letters) {
    config.layers.push_back(
        {letter == 'L' ? MixerKind::kLightning : MixerKind::kSoftmax, FfnKind::kDense});
  }
  return config;
}

TEST(DescribeTest, LayerPatterns) {
  EXPECT_EQ(LayerPattern(WithMixers("SSS")), "3 softmax");
  EXPECT_EQ(LayerPattern(WithMixers("LLS")), "2 lightning + 1 softmax");
  EXPECT_EQ(LayerPattern(WithMixers("LLSLLS")), "(2 lightning + 1 softmax) x 2");
  EXPECT_EQ(LayerPattern(WithMixers("LLSLLSL")), "(2 lightning + 1 softmax) x 2 + 1 lightning");
  EXPECT_EQ(LayerPattern(WithMixers("LLSLLSS")), "(2 lightning + 1 softmax) x 2 + 1 softmax");
  EXPECT_EQ(LayerPattern(WithMixers("LLSSLS")),
            "2 lightning + 2 softmax + 1 lightning + 1 softmax");
  EXPECT_EQ(LayerPattern(WithMixers("")), "");
}

std::string ParametersOf(std::string_view name) {
  const auto preset = FindPresetByAnyName(name);
  EXPECT_TRUE(preset.ok()) << preset.status().message();
  const auto config = PresetConfig(**preset);
  EXPECT_TRUE(config.ok()) << config.status().message();
  return DescribeJson(*config)["parameters"]["text"];
}

TEST(DescribeTest, ParametersOfPublishedModels) {
  EXPECT_EQ(ParametersOf("Ring-mini-linear-2.0"), "16.423B / 1,600.8M / 956.9M");
  EXPECT_EQ(ParametersOf("inclusionAI/Ring-flash-linear-2.0"), "104.18B / 7,444M / 6,157M");
}

TEST(DescribeTest, PresetNames) {
  EXPECT_TRUE(FindPresetByAnyName("ring-mini-linear").ok());
  EXPECT_TRUE(FindPresetByAnyName("RING-MINI-LINEAR").ok());
  EXPECT_FALSE(FindPresetByAnyName("").ok());
  EXPECT_FALSE(FindPresetByAnyName("ring-mini-linear/").ok());
}

TEST(DescribeTest, TextAndJsonAgree) {
  for (const Preset& preset : Presets()) {
    const auto config = PresetConfig(preset);
    ASSERT_TRUE(config.ok());
    const OrderedJson json = DescribeJson(*config);
    const std::string text = DescribeText(*config);
    EXPECT_NE(text.find(json["parameters"]["text"].get<std::string>()), std::string::npos);
    EXPECT_NE(text.find(json["layers"]["pattern"].get<std::string>()), std::string::npos);
  }
}

}  // namespace
}  // namespace ringlet::cli
