// What is trained is what is served: the trainer's log-probabilities and those of the engine that
// loaded the trained model, byte for byte.
#include <gtest/gtest.h>

#include <cstring>

#include "base/rng.h"
#include "base/sanitizer.h"
#include "engine/engine.h"
#include "io/test_files.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "model/presets.h"
#include "ops/loss/log_sum_exp.h"
#include "train/run/hf_export.h"
#include "train/run/initialize.h"
#include "train/step/gradient_step.h"

namespace ringlet {
namespace {

struct Trained {
  OrderedJson json;
  std::unique_ptr<ParameterSet> parameters;
};

// Weights that one step of a large rate moved away from where they began.
Trained TrainOneStep(const char* preset, PackedFormat format, Context& context) {
  Trained trained;
  trained.json = PresetJson(*FindPreset(preset).value()).value();
  if (trained.json.contains("num_nextn_predict_layers")) {
    trained.json["num_nextn_predict_layers"] = 0;
  }
  const Json json(trained.json);
  ModelConfig config = MapHfConfig(json, preset).value();
  trained.parameters = std::make_unique<ParameterSet>(
      ParameterSet::Create(*FindHfArchitecture(json, preset).value(), config, format).value());
  InitializeWeights(*trained.parameters, 7, 0.08f);
  TrainingBatch batch;
  batch.starts = {0, 40};
  Rng rng(3);
  for (int i = 0; i < 100; ++i) {
    batch.tokens.push_back(static_cast<int32_t>(rng.Below(static_cast<uint64_t>(config.vocab))));
    batch.labels.push_back(static_cast<int32_t>(rng.Below(static_cast<uint64_t>(config.vocab))));
  }
  const KvType kv = format == PackedFormat::kF32 ? KvType::kF32 : KvType::kBf16;
  const PackedModel model = trained.parameters->Pack(context, kv);
  std::ranges::fill(trained.parameters->gradients(), 0.0f);
  GradientStep step(context, *trained.parameters, {});
  step.Run(model, batch, 0.01f);
  for (Parameter& parameter : trained.parameters->all()) {
    for (int64_t i = 0; i < parameter.size(); ++i)
      parameter.value[i] -= 0.5f * parameter.gradient[i];
  }
  return trained;
}

struct Case {
  const char* preset;
  PackedFormat format;
};

class TrainerEngineTest : public ::testing::TestWithParam<Case> {};

std::vector<double> Served(Engine& engine, const std::vector<int32_t>& tokens) {
  std::vector<double> log_probs;
  Sequence sequence = engine.NewSequence();
  Feed feed{.sequence = &sequence, .tokens = tokens, .rows = LogitRows::kAll, .on_logits = {}};
  feed.on_logits = [&](int64_t row, std::span<const float> logits) {
    const auto next = static_cast<size_t>(row) + 1;
    if (next == tokens.size()) return;
    log_probs.push_back(logits[static_cast<size_t>(tokens[next])] -
                        LogSumExp(engine.context().isa, logits));
  };
  EXPECT_TRUE(engine.Step(std::span<const Feed>(&feed, 1)).ok());
  return log_probs;
}

TEST_P(TrainerEngineTest, HundredSequencesHaveTheSameBytes) {
  Context context(IsaChoice::Detect(), 2);
  const Trained trained = TrainOneStep(GetParam().preset, GetParam().format, context);
  TempDir dir;
  ASSERT_TRUE(WriteModelDirectory(dir.path() + "/m", *trained.parameters, trained.json, {}).ok());
  auto checkpoint = OpenCheckpoint(dir.path() + "/m");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  const bool f32 = GetParam().format == PackedFormat::kF32;
  auto serving = std::make_shared<Context>(IsaChoice::Detect(), 1);
  LoadOptions options;
  if (f32) {
    options.compute = ComputeType::kF32;
    options.kv = KvType::kF32;
  }
  auto model = Model::Load(std::move(*checkpoint), *serving, options);
  ASSERT_TRUE(model.ok()) << model.status().message();
  Engine engine(*model, serving, {});

  // A hundred sequences in packed batches of ten, by one to four threads and all recomputations.
  const Recompute policies[] = {Recompute::kNone, Recompute::kAttention, Recompute::kBlock};
  Rng rng(5);
  const auto vocab = static_cast<uint64_t>(trained.parameters->config().vocab);
  for (int b = 0; b < (kSanitized ? 2 : 10); ++b) {
    TrainingBatch batch;
    std::vector<std::vector<int32_t>> sequences(10);
    for (std::vector<int32_t>& tokens : sequences) {
      batch.starts.push_back(batch.rows());
      for (uint64_t n = 2 + rng.Below(150); n > 0; --n) {
        tokens.push_back(static_cast<int32_t>(rng.Below(vocab)));
      }
      batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
      batch.labels.insert(batch.labels.end(), tokens.begin() + 1, tokens.end());
      batch.labels.push_back(-1);
    }
    Context training(IsaChoice::Detect(), 1 + b % 4);
    const PackedModel packed =
        trained.parameters->Pack(training, f32 ? KvType::kF32 : KvType::kBf16);
    GradientStep step(training, *trained.parameters, {.recompute = policies[b % 3]});
    if (b % 5 == 4) {
      step.RunForward(packed, batch);
    } else {
      step.Run(packed, batch, 1.0f);
    }
    for (size_t s = 0; s < sequences.size(); ++s) {
      const std::vector<double> want = Served(engine, sequences[s]);
      const std::span<const double> got =
          step.log_probs().subspan(static_cast<size_t>(batch.starts[s]), want.size());
      EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size_bytes()), 0)
          << "sequence " << 10 * b + static_cast<int>(s);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, TrainerEngineTest,
                         ::testing::Values(Case{"tiny-hybrid", PackedFormat::kBf16},
                                           Case{"tiny-hybrid", PackedFormat::kF32},
                                           Case{"tiny-ling", PackedFormat::kBf16},
                                           Case{"tiny-qwen3", PackedFormat::kBf16},
                                           Case{"tiny-llama", PackedFormat::kBf16}),
                         [](const auto& instance) {
                           std::string name = instance.param.preset;
                           name += instance.param.format == PackedFormat::kF32 ? "_f32" : "_bf16";
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace ringlet
