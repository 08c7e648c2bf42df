// Comparing models, and what calibration sees.
#include "engine/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/file.h"
#include "engine/calibration.h"
#include "io/test_files.h"
#include "model/named_matrices.h"
#include "model/packed.h"
#include "model/presets.h"
#include "model/random_checkpoint.h"
#include "ops/norm/norm.h"

namespace ringlet {
namespace {

TEST(CompareLogitsTest, IsTheKullbackLeiblerDivergence) {
  // p = (0.5, 0.25, 0.25), q = (0.25, 0.5, 0.25), from logits with any constant added.
  const std::vector<float> p = {std::log(2.0f) + 3, 3, 3};
  const std::vector<float> q = {-7, std::log(2.0f) - 7, -7};
  const TokenDivergence token = CompareLogits(p, q, 1);
  EXPECT_NEAR(token.kl, 0.5 * std::log(2.0) - 0.25 * std::log(2.0), 1e-6);
  EXPECT_FALSE(token.same_best);
  EXPECT_NEAR(token.logprob, std::log(0.25), 1e-6);
  EXPECT_NEAR(token.other_logprob, std::log(0.5), 1e-6);
  EXPECT_NEAR(CompareLogits(p, p, -1).kl, 0, 1e-12);
  EXPECT_TRUE(CompareLogits(p, p, -1).same_best);
  EXPECT_EQ(CompareLogits(p, p, -1).logprob, 0);
  // Far apart, where probabilities vanish in fp32.
  const std::vector<float> far = {200, 0};
  const std::vector<float> near = {0, 200};
  EXPECT_NEAR(CompareLogits(far, near, 0).kl, 200, 1e-6);
}

TEST(DivergenceTest, Summaries) {
  Divergence divergence;
  EXPECT_EQ(divergence.MeanKl(), 0);
  EXPECT_EQ(divergence.Perplexity(), 0);
  divergence.tokens = {{0.1, true, std::log(0.5), std::log(0.25)},
                       {0.3, false, std::log(0.5), std::log(0.25)},
                       {0.2, true, 0, 0}};
  EXPECT_NEAR(divergence.MeanKl(), 0.2, 1e-12);
  EXPECT_EQ(divergence.MaxKl(), 0.3);
  EXPECT_NEAR(divergence.SameBest(), 2.0 / 3, 1e-12);
  EXPECT_NEAR(divergence.Perplexity(), 2, 1e-12);
  EXPECT_NEAR(divergence.OtherPerplexity(), 4, 1e-12);
}

class TwoEngines : public testing::Test {
 protected:
  std::unique_ptr<Engine> Load(const std::string& preset, uint64_t seed, ComputeType compute) {
    const std::string path = directory_.path() + "/" + preset + std::to_string(seed);
    const auto config = PresetJson(**FindPreset(preset));
    if (!IsDirectory(path)) {
      EXPECT_TRUE(WriteRandomCheckpoint(*config, "", path, {.seed = seed}).ok());
    }
    auto context = std::make_shared<Context>(IsaChoice::Detect(), 2);
    LoadOptions options;
    options.compute = compute;
    auto model = Model::Load(OpenCheckpoint(path).value(), *context, options);
    return std::make_unique<Engine>(model.value(), context, EngineOptions());
  }

  std::vector<int32_t> Tokens(int64_t count) const {
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < count; ++i) tokens.push_back(static_cast<int32_t>(i * 37 % 101));
    return tokens;
  }

  TempDir directory_;
};

TEST_F(TwoEngines, DivergenceOfModels) {
  const auto a = Load("tiny-hybrid", 1, ComputeType::kF32);
  const auto same = Load("tiny-hybrid", 1, ComputeType::kF32);
  const auto rounded = Load("tiny-hybrid", 1, ComputeType::kBf16);
  const auto other = Load("tiny-hybrid", 2, ComputeType::kF32);
  const std::vector<int32_t> tokens = Tokens(90);
  const auto compare = [&](Engine& x, Engine& y, int64_t chunk) {
    return CompareModels(x, y, tokens, chunk, {}).value();
  };
  const Divergence none = compare(*a, *same, 32);
  ASSERT_EQ(none.tokens.size(), tokens.size());
  EXPECT_NEAR(none.MaxKl(), 0, 1e-12);
  const Divergence small = compare(*a, *rounded, 32);
  const Divergence large = compare(*a, *other, 32);
  EXPECT_GT(small.MeanKl(), 0);
  EXPECT_LT(small.MeanKl(), large.MeanKl() / 100);
  EXPECT_EQ(small.MeanKl(), compare(*a, *rounded, 7).MeanKl());
  EXPECT_EQ(small.MeanKl(), compare(*a, *rounded, 1000).MeanKl());
  const auto ling = Load("tiny-qwen3", 1, ComputeType::kF32);
  if (ling->model().config().vocab != a->model().config().vocab) {
    EXPECT_NE(CompareModels(*a, *ling, tokens, 32, {}).status().message().find("vocab_size"),
              std::string::npos);
  }
}

// Counts rows, and keeps those of one matrix.
class Recorder : public ActivationObserver {
 public:
  void Observe(const PackedMatrix& weights, std::span<const float* const> rows) override {
    counts[&weights] += std::ssize(rows);
    if (&weights != wanted) return;
    for (const float* row : rows) kept.insert(kept.end(), row, row + weights.k);
  }
  std::map<const PackedMatrix*, int64_t> counts;
  const PackedMatrix* wanted = nullptr;
  std::vector<float> kept;
};

TEST_F(TwoEngines, ObserversSeeEveryMatrix) {
  const auto engine = Load("tiny-hybrid", 1, ComputeType::kF32);
  const PackedModel& packed = engine->model().packed();
  Recorder recorder;
  recorder.wanted = &std::get<LightningMixer>(packed.blocks[0].mixer).qkv;
  engine->SetObserver(&recorder);
  const std::vector<int32_t> tokens = Tokens(70);
  Sequence sequence = engine->NewSequence();
  Feed feed;
  feed.sequence = &sequence;
  feed.tokens = tokens;
  feed.rows = LogitRows::kAll;
  std::vector<float> observed_logits;
  feed.on_logits = [&](int64_t, std::span<const float> row) {
    observed_logits.insert(observed_logits.end(), row.begin(), row.end());
  };
  ASSERT_TRUE(engine->Step(std::span<const Feed>(&feed, 1)).ok());
  int64_t expert_rows = 0;
  int64_t moe_layers = 0;
  for (const auto& [name, matrix] : NamedMatrices(packed)) {
    if (name.starts_with("mtp")) continue;
    if (name.find(".experts.") != name.npos) {
      if (name.ends_with("gate_up")) expert_rows += recorder.counts[matrix];
      continue;
    }
    moe_layers += name.ends_with(".router");
    EXPECT_EQ(recorder.counts[matrix], 70) << name;
  }
  EXPECT_EQ(expert_rows, 70 * moe_layers * engine->model().config().moe.top_k);
  // The first matrix multiplies the normed embedding.
  const int64_t hidden = engine->model().config().hidden;
  std::vector<float> row(static_cast<size_t>(hidden));
  std::vector<float> normed(row.size());
  packed.embedding.rows.DecodeRow(tokens[1], row.data());
  Context context(IsaChoice::Detect(), 1);
  RmsNorm(context, {.x = row.data(),
                    .weight = packed.blocks[0].input_norm.data(),
                    .y = normed.data(),
                    .rows = 1,
                    .n = hidden,
                    .eps = packed.blocks[0].eps});
  EXPECT_TRUE(std::equal(normed.begin(), normed.end(), recorder.kept.begin() + hidden));
  // Observing changes nothing.
  engine->SetObserver(nullptr);
  const std::vector<float> before = std::move(observed_logits);
  observed_logits.clear();
  Sequence again = engine->NewSequence();
  feed.sequence = &again;
  const auto seen = recorder.counts;
  ASSERT_TRUE(engine->Step(std::span<const Feed>(&feed, 1)).ok());
  EXPECT_EQ(observed_logits, before);
  EXPECT_EQ(recorder.counts, seen);
}

TEST_F(TwoEngines, ImportanceIsTheMeanSquareOfInputs) {
  const auto engine = Load("tiny-hybrid", 1, ComputeType::kF32);
  const PackedModel& packed = engine->model().packed();
  Recorder recorder;
  recorder.wanted = &std::get<LightningMixer>(packed.blocks[1].mixer).out;
  const std::vector<int32_t> tokens = Tokens(50);
  Sequence sequence = engine->NewSequence();
  Feed feed;
  feed.sequence = &sequence;
  feed.tokens = tokens;
  engine->SetObserver(&recorder);
  ASSERT_TRUE(engine->Step(std::span<const Feed>(&feed, 1)).ok());
  const ImportanceMap importance = MeasureImportance(*engine, tokens, {}).value();
  const std::vector<float>& found = importance.at("layers.1.attention.out");
  std::vector<double> sums(found.size());
  double total = 0;
  for (size_t i = 0; i < recorder.kept.size(); ++i) {
    const double square = static_cast<double>(recorder.kept[i]) * recorder.kept[i];
    sums[i % sums.size()] += square;
    total += square;
  }
  for (size_t i = 0; i < found.size(); ++i) {
    const double expected = sums[i] * static_cast<double>(sums.size()) / total + 0.01;
    EXPECT_NEAR(found[i], expected, 1e-5 * expected);
  }
  // One token reaches top_k experts of each layer and no other.
  const std::vector<int32_t> one = {5};
  const ImportanceMap few = MeasureImportance(*engine, one, {}).value();
  int64_t experts = 0;
  for (const auto& [name, values] : few) {
    experts += name.find("layers.2.experts.") != name.npos && name.ends_with("down");
  }
  EXPECT_EQ(experts, engine->model().config().moe.top_k);
  EXPECT_TRUE(few.contains("head"));
}

}  // namespace
}  // namespace ringlet
