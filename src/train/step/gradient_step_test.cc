#include "train/step/gradient_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "base/sanitizer.h"
#include "model/presets.h"
#include "ops/testing/guarded_buffer.h"
#include "ops/testing/random.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

ParameterSet RandomParameters(std::string_view preset_name, PackedFormat format) {
  const Preset* preset = FindPreset(preset_name).value();
  const Json json(PresetJson(*preset).value());
  ModelConfig config = MapHfConfig(json, "preset").value();
  ParameterSet set =
      ParameterSet::Create(*FindHfArchitecture(json, "preset").value(), config, format).value();
  Rng rng(11);
  for (Parameter& parameter : set.all()) {
    const std::vector<float> noise = NormalFloats(&rng, parameter.size());
    const bool vector = parameter.rows == 1;
    const bool bias = !parameter.trained;
    const float mean = vector && !bias ? 1.0f : 0.0f;
    const float spread =
        parameter.name == "embedding"
            ? 1.0f
            : (vector ? 0.05f : 1.0f / std::sqrt(static_cast<float>(parameter.cols)));
    for (size_t i = 0; i < noise.size(); ++i) parameter.value[i] = mean + spread * noise[i];
  }
  return set;
}

// Documents of these lengths; what follows the last token of each is not known.
TrainingBatch Documents(const std::vector<int64_t>& lengths, int64_t vocabulary, uint64_t seed) {
  Rng rng(seed);
  TrainingBatch batch;
  for (const int64_t length : lengths) {
    batch.starts.push_back(batch.rows());
    for (int64_t i = 0; i < length; ++i) {
      batch.tokens.push_back(static_cast<int32_t>(Between(&rng, 0, vocabulary - 1)));
    }
    for (int64_t i = batch.starts.back() + 1; i < batch.rows(); ++i) {
      batch.labels.push_back(batch.tokens[static_cast<size_t>(i)]);
    }
    batch.labels.push_back(-1);
  }
  return batch;
}

constexpr double kMtpWeight = 0.7;
const GradientOptions kPlain{.mtp_weight = kMtpWeight};

struct Outcome {
  std::vector<float> gradients;
  std::vector<double> log_probs;
  double mtp_loss = 0;  // of all MTP layers, mean
};

KvType KvOf(const ParameterSet& set) { return set.all()[0].fp32 ? KvType::kF32 : KvType::kBf16; }

// What `step` makes of the batch, from gradients of zero.
Outcome RunAgain(ParameterSet& set, GradientStep& step, const PackedModel& model,
                 const TrainingBatch& batch) {
  std::ranges::fill(set.gradients(), 0.0f);
  step.Run(model, batch, 1.0f);
  return {{set.gradients().begin(), set.gradients().end()},
          {step.log_probs().begin(), step.log_probs().end()},
          step.mtp_loss() / static_cast<double>(std::max<int64_t>(1, set.config().mtp_layers))};
}

Outcome RunStep(ParameterSet& set, const TrainingBatch& batch, int threads,
                const GradientOptions& options) {
  Context context(IsaChoice::Detect(), threads);
  const PackedModel model = set.Pack(context, KvOf(set));
  GradientStep step(context, set, options);
  return RunAgain(set, step, model, batch);
}

double LossOf(const Outcome& outcome) {
  return kMtpWeight * outcome.mtp_loss -
         std::accumulate(outcome.log_probs.begin(), outcome.log_probs.end(), 0.0);
}

class GradientStepTest : public ::testing::TestWithParam<const char*> {};

// Biases so different that no small step changes which experts are chosen.
void FixChoices(ParameterSet& set) {
  for (Parameter& parameter : set.all()) {
    if (parameter.trained) continue;
    for (int64_t e = 0; e < parameter.cols; ++e) {
      parameter.value[e] = 3.0f * static_cast<float>(e * 7 % parameter.cols);
    }
  }
}

// Along its own gradient each parameter changes the loss as its length says. Losses are fp32 sums:
// steps are large enough for differences to be seen.
TEST_P(GradientStepTest, AgreesWithDifferences) {
  ParameterSet set = RandomParameters(GetParam(), PackedFormat::kF32);
  FixChoices(set);
  const TrainingBatch batch = Documents({70, 3, 40}, set.config().vocab, 3);
  const std::vector<float> gradients = RunStep(set, batch, 2, kPlain).gradients;
  int64_t number = 0;
  for (Parameter& parameter : set.all()) {
    if (!parameter.trained || (kSanitized && ++number % 11 != 0)) continue;
    const auto first = static_cast<size_t>(parameter.gradient - set.gradients().data());
    const std::span<const float> gradient(gradients.data() + first,
                                          static_cast<size_t>(parameter.size()));
    double norm = 0;
    for (const float g : gradient) norm += static_cast<double>(g) * g;
    norm = std::sqrt(norm);
    if (norm == 0) continue;  // an expert that no row chose
    std::vector<float> kept(parameter.value, parameter.value + parameter.size());
    const double reach = 0.02 / std::max(norm, 0.5);
    const auto loss_at = [&](double step) {
      for (size_t i = 0; i < kept.size(); ++i) {
        parameter.value[i] =
            kept[i] + static_cast<float>(step * static_cast<double>(gradient[i]) / norm);
      }
      return LossOf(RunStep(set, batch, 2, kPlain));
    };
    const double slope = (loss_at(reach) - loss_at(-reach)) / (2 * reach);
    std::copy(kept.begin(), kept.end(), parameter.value);
    EXPECT_NEAR(slope, norm, 0.03 * norm + 0.02) << parameter.name;
  }
}

TEST_P(GradientStepTest, SameBytesForThreadsAndRecomputation) {
  ParameterSet set = RandomParameters(GetParam(), PackedFormat::kBf16);
  const TrainingBatch batch = Documents({129, 64, 1, 90}, set.config().vocab, 4);
  const Outcome want = RunStep(set, batch, 1, kPlain);
  for (int threads = kSanitized ? 3 : 1; threads <= (kSanitized ? 3 : 4); ++threads) {
    for (const Recompute recompute : {Recompute::kNone, Recompute::kAttention, Recompute::kBlock}) {
      const Outcome got =
          RunStep(set, batch, threads, {.recompute = recompute, .mtp_weight = kMtpWeight});
      EXPECT_TRUE(SameBits(want.gradients, got.gradients)) << threads;
      EXPECT_TRUE(SameBits(want.log_probs, got.log_probs)) << threads;
    }
  }
}

// A step that is kept: memory of other batches does not show, and losses alone are the same bytes.
TEST_P(GradientStepTest, BatchesDoNotLeak) {
  ParameterSet set = RandomParameters(GetParam(), PackedFormat::kBf16);
  const int64_t vocabulary = set.config().vocab;
  const TrainingBatch batches[] = {Documents({129, 64, 1, 90}, vocabulary, 8),
                                   Documents({3, 70}, vocabulary, 9),
                                   Documents({1, 200, 65, 2, 64}, vocabulary, 10)};
  for (const Recompute recompute : {Recompute::kNone, Recompute::kAttention, Recompute::kBlock}) {
    Context context(IsaChoice::Detect(), 2);
    const PackedModel model = set.Pack(context, KvOf(set));
    GradientStep kept(context, set, {.recompute = recompute, .mtp_weight = kMtpWeight});
    for (const TrainingBatch& batch : batches) {
      const Outcome want =
          RunStep(set, batch, 2, {.recompute = recompute, .mtp_weight = kMtpWeight});
      const Outcome got = RunAgain(set, kept, model, batch);
      EXPECT_TRUE(SameBits(want.gradients, got.gradients));
      EXPECT_TRUE(SameBits(want.log_probs, got.log_probs));
      std::vector<std::vector<int64_t>> load = kept.load();
      kept.RunForward(model, batch);
      load.resize(kept.load().size());  // that pass leaves MTP layers out
      EXPECT_TRUE(SameBits(std::span<const double>(want.log_probs), kept.log_probs()));
      EXPECT_EQ(load, kept.load());
      EXPECT_TRUE(
          SameBits(std::span<const float>(got.gradients), std::span<const float>(set.gradients())));
    }
  }
}

// A document's losses do not depend on its neighbours, nor do the gradients of its losses.
TEST_P(GradientStepTest, DocumentsDoNotLeak) {
  ParameterSet set = RandomParameters(GetParam(), PackedFormat::kBf16);
  const TrainingBatch first = Documents({50, 65, 30}, set.config().vocab, 6);
  TrainingBatch second = Documents({50, 65, 30}, set.config().vocab, 7);
  for (size_t i = 50; i < 115; ++i) {
    second.tokens[i] = first.tokens[i];
    second.labels[i] = first.labels[i];
  }
  TrainingBatch middle[] = {first, second};
  Outcome outcomes[2];
  for (int which = 0; which < 2; ++which) {
    for (size_t i = 0; i < 145; ++i) {
      if (i < 50 || i >= 115) middle[which].labels[i] = -1;
    }
    outcomes[which] = RunStep(set, middle[which], 2, kPlain);
  }
  EXPECT_TRUE(SameBits(outcomes[0].log_probs, outcomes[1].log_probs));
  EXPECT_TRUE(SameBits(outcomes[0].gradients, outcomes[1].gradients));

  TrainingBatch alone;
  alone.starts = {0};
  alone.tokens.assign(first.tokens.begin() + 50, first.tokens.begin() + 115);
  alone.labels.assign(first.labels.begin() + 50, first.labels.begin() + 115);
  const Outcome single = RunStep(set, alone, 2, kPlain);
  EXPECT_TRUE(SameBits(std::span<const double>(single.log_probs),
                       std::span<const double>(outcomes[0].log_probs).subspan(50, 65)));
}

INSTANTIATE_TEST_SUITE_P(Presets, GradientStepTest,
                         ::testing::Values("tiny-hybrid", "tiny-ling", "tiny-qwen3", "tiny-llama"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace ringlet
