#include "train/config/run_config.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace ringlet {
namespace {

constexpr std::string_view kLeast = R"(
[model]
preset = "tiny-ring-linear"
[[data]]
path = "text"
)";

std::string ErrorOf(const std::string& text) {
  const Result<RunConfig> config = ParseRunConfig(text, "run.toml");
  return config.ok() ? "accepted" : config.status().message();
}

RunConfig Parse(std::string_view text) {
  Result<RunConfig> config = ParseRunConfig(text, "run.toml");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? std::move(config).value() : RunConfig();
}

TEST(RunConfigTest, TheLeastFileHasDefaults) {
  const RunConfig config = Parse(kLeast);
  EXPECT_EQ(config.steps, 1000);
  EXPECT_EQ(config.optimizer.beta2, 0.95);
  EXPECT_EQ(config.data.size(), 1U);
  EXPECT_EQ(config.stages.size(), 1U);
}

TEST(RunConfigTest, ReadsEverySetting) {
  const RunConfig config = Parse(R"(
name = "nano"
steps = 300
batch_tokens = 65536
micro_batch_tokens = 16384
recompute = "block"
compute = "f32"
[model]
preset = "ring-mini-linear"
[model.set]
hidden_size = 256
rope_theta = 1e4
architectures = ["A"]
[optimizer]
lr = 1
clip = 0.5
[schedule]
kind = "wsd"
warmup_steps = 10
decay_steps = 50
decay = "sqrt"
[balance]
rule = "proportional"
[merge]
count = 4
every_steps = 10
[[data]]
path = "a"
weight = 3
[[data]]
path = "b"
[[stage]]
steps = 200
sequence = 2048
[[stage]]
sequence = 16384
balance_rate = 1e-4
)");
  EXPECT_EQ(config.recompute, Recompute::kBlock);
  EXPECT_EQ(config.compute, Compute::kF32);
  EXPECT_EQ(config.optimizer.lr, 1.0);
  EXPECT_EQ(config.schedule.decay, DecayShape::kSqrt);
  EXPECT_EQ(config.balance.rule, BalanceRule::kProportional);
  EXPECT_EQ(config.data[0].weight, 3.0);
  EXPECT_EQ(config.StageOf(200).sequence, 2048);
  EXPECT_EQ(config.StageOf(201).sequence, 16384);
  EXPECT_EQ(config.StageOf(300).sequence, 16384);
  ASSERT_NE(config.model.set.Find("hidden_size"), nullptr);
  EXPECT_EQ(config.model.set.Find("hidden_size")->integer, 256);
}

TEST(RunConfigTest, ErrorsNameLineKeyFoundAndExpected) {
  const std::string least(kLeast);
  EXPECT_EQ(ErrorOf("steps = \"many\"" + least),
            "run.toml:1: steps: found the string \"many\", expected an integer from 1 to "
            "1099511627776");
  EXPECT_EQ(
      ErrorOf(least + "[optimizer]\nlr = 0.1\nbeta3 = 1\n"),
      "run.toml:8: optimizer.beta3: found an unknown key, expected one of beta1, beta2, clip, "
      "eps, lr, weight_decay");
  EXPECT_EQ(ErrorOf(least + "[schedule]\nkind = \"step\"\n"),
            "run.toml:7: schedule.kind: found the string \"step\", expected one of \"wsm\", "
            "\"wsd\", \"cosine\"");
  EXPECT_EQ(ErrorOf(least + "[optimizer]\nlr = nan\n"),
            "run.toml:7: optimizer.lr: found nan, expected a number from 0 to 10");
  EXPECT_EQ(ErrorOf("optimizer = 3\n" + least),
            "run.toml:1: optimizer: found 3, expected a table that begins with [optimizer]");
  EXPECT_EQ(
      ErrorOf(least + "[[stage]]\nsequence = 3000\n"),
      "run.toml:6: stage.sequence: found 3000, expected a divisor of micro_batch_tokens, 8192");
}

TEST(RunConfigTest, RefusesWhatMakesNoSense) {
  const std::string least(kLeast);
  for (const std::string& text : std::vector<std::string>{
           std::string("[[data]]\npath = \"a\"\n"),      // no model
           std::string("[model]\npreset = \"tiny\"\n"),  // no data
           "steps = 10\nsteps = 10\n" + least,
           "steps = 0\n" + least,
           "steps = 1979-05-27\n" + least,
           "batch_tokens = 10000\n" + least,
           "\xff = 1\n" + least,
           "name = \"a\\u0000b\"\n" + least,
           "stage = []\n" + least,
           "stage = [1]\n" + least,
           "data = 1\n[model]\npreset = \"a\"\n",
           "[[data]]\nweight = 1\n[model]\npreset = \"a\"\n",  // no path
           least + "weight = 0\n",
           least + "weight = inf\n",
           least + "[[stage]]\nsteps = 0\n[[stage]]\nsteps = 10\n",
           least + "[[stage]]\nsteps = 10\n",               // not all steps
           least + "[[stage]]\nsteps = 1000\n[[stage]]\n",  // nothing left
           least + "[schedule]\nwarmup_steps = 2000\n",
           least + "[schedule]\ndecay_steps = 10\n",
           least + "[merge]\ncount = 3\n",
           least + "[guard]\nwindow = 3\n",
           std::string("[model]\npreset = \"a\"\nconfig = \"b\"\n[[data]]\npath = \"a\"\n"),
           std::string("[model]\nset = 3\n[[data]]\npath = \"a\"\n"),
           std::string("[model.set]\na = nan\n[[data]]\npath = \"a\"\n"),
           std::string("[model.set]\na = 1979-05-27\n[[data]]\npath = \"a\"\n"),
       }) {
    EXPECT_NE(ErrorOf(text), "accepted") << text;
    EXPECT_TRUE(ErrorOf(text).starts_with("run.toml:")) << ErrorOf(text);
  }
}

TEST(RunConfigTest, CanonicalTextReadsBackAndIsAFixedPoint) {
  RunConfig config = Parse(kLeast);
  config.name = "quotes \" and \\ and \n lines";
  config.optimizer.lr = 1.0 / 3.0;
  config.stages = {{10, 64, 0.25}, {0, 128, -1}};
  config.model.set = ParseToml("b = [1, 2.5, \"x\"]\n\"a key\" = {deep = true}", "t").value();
  const std::string text = CanonicalToml(config);
  const RunConfig again = Parse(text);
  EXPECT_EQ(CanonicalToml(again), text);
  EXPECT_EQ(again.name, config.name);
  EXPECT_EQ(again.optimizer.lr, config.optimizer.lr);
  EXPECT_EQ(again.stages[0].balance_rate, 0.25);
  EXPECT_TRUE(again.model.set.Find("a key")->Find("deep")->boolean);
}

TEST(RunConfigTest, TheFingerprintSeesWhatDecidesTheWeights) {
  const RunConfig config = Parse(kLeast);
  RunConfig other = config;
  other.name = "another";
  other.checkpoint.keep = 7;
  other.recompute = Recompute::kBlock;
  EXPECT_EQ(RunFingerprint(other), RunFingerprint(config));
  other.seed = 1;
  EXPECT_NE(RunFingerprint(other), RunFingerprint(config));
  other = config;
  other.data[0].weight = 2;
  EXPECT_NE(RunFingerprint(other), RunFingerprint(config));
}

TEST(RunConfigTest, PathsAreThoseOfTheFile) {
  const std::string directory = ::testing::TempDir();
  const std::string path = directory + "/run_config_test.toml";
  ASSERT_TRUE(WriteFile(path, kLeast).ok());
  const Result<RunConfig> config = ReadRunConfig(path);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(ConfigPath(config.value(), "text"), directory + "/text");
  EXPECT_EQ(ConfigPath(config.value(), "/text"), "/text");
  EXPECT_EQ(ReadRunConfig(path + ".no").status().code(), StatusCode::kNotFound);
}

// Between the marks the page must hold what the table of settings says.
TEST(RunConfigTest, TheReferenceInTheDocumentationIsTheParsers) {
  const Result<std::string> page = ReadFile(RINGLET_SOURCE_DIR "/docs/training.md");
  ASSERT_TRUE(page.ok()) << page.status().message();
  EXPECT_NE(page.value().find(RunConfigReference()), std::string::npos)
      << "docs/training.md must contain:\n"
      << RunConfigReference();
}

}  // namespace
}  // namespace ringlet
