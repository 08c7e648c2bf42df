#include "model/cost.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ringlet {
namespace {

PackedMatrix Matrix(PackedFormat format, int64_t n, int64_t k) {
  PackedMatrix matrix;
  matrix.format = format;
  matrix.n = n;
  matrix.k = k;
  matrix.panel_bytes = kPanel * k * (format == PackedFormat::kF32 ? 4 : 2);
  return matrix;
}

constexpr int64_t kHidden = 128;
constexpr int64_t kHeads = 4;
constexpr int64_t kKvHeads = 2;
constexpr int64_t kDim = 16;
constexpr int64_t kExperts = 8;
constexpr int64_t kTopK = 2;
constexpr int64_t kExpertFfn = 32;
constexpr int64_t kVocab = 100;  // the head's last panel is padded

// A softmax layer with a dense block in BF16, a lightning layer with experts and a fp32 router.
PackedModel SmallModel(KvType kv = KvType::kBf16) {
  PackedModel model;
  SoftmaxMixer softmax;
  softmax.spec = {.heads = kHeads, .kv = {kv, kKvHeads, kDim}, .rotary_dim = kDim};
  softmax.qkv = Matrix(PackedFormat::kBf16, (kHeads + 2 * kKvHeads) * kDim, kHidden);
  softmax.out = Matrix(PackedFormat::kBf16, kHidden, kHeads * kDim);
  Block first;
  first.mixer = softmax;
  first.feed_forward = Mlp{.gate_up = Matrix(PackedFormat::kBf16, 512, kHidden),
                           .down = Matrix(PackedFormat::kBf16, kHidden, 256)};
  LightningMixer lightning;
  lightning.spec = {.heads = kHeads, .kv = {KvType::kF32, kHeads, kDim}, .rotary_dim = kDim};
  lightning.qkv = Matrix(PackedFormat::kBf16, 3 * kHeads * kDim, kHidden);
  lightning.gate = Matrix(PackedFormat::kBf16, kHeads * kDim, kHidden);
  lightning.out = Matrix(PackedFormat::kBf16, kHidden, kHeads * kDim);
  Moe moe;
  moe.top_k = kTopK;
  moe.router = Matrix(PackedFormat::kF32, kExperts, kHidden);
  for (int64_t e = 0; e < kExperts; ++e) {
    moe.experts.push_back({.gate_up = Matrix(PackedFormat::kQuant, 2 * kExpertFfn, kHidden),
                           .down = Matrix(PackedFormat::kQuant, kHidden, kExpertFfn)});
  }
  Block second;
  second.mixer = lightning;
  second.feed_forward = moe;
  model.blocks = {first, second};
  model.head = Matrix(PackedFormat::kBf16, kVocab, kHidden);
  return model;
}

constexpr double kBf16Weights = 128 * 128 + 128 * 64         // softmax: qkv, out
                                + 512 * 128 + 128 * 256      // dense
                                + 192 * 128 + 2 * 64 * 128;  // lightning: qkv, gate, out
constexpr double kExpertWeights = 64 * 128 + 128 * 32;

TEST(CostTest, DecodeOfOneRowAtPositionZero) {
  const StepCost cost = CostOfStep(SmallModel(), {});
  EXPECT_DOUBLE_EQ(cost.weight_bytes, 2 * kBf16Weights + 4 * kExperts * kHidden);
  EXPECT_DOUBLE_EQ(cost.expert_bytes, kTopK * 2 * kExpertWeights);
  EXPECT_DOUBLE_EQ(cost.head_bytes, 2 * kVocab * kHidden);
  EXPECT_DOUBLE_EQ(cost.kv_bytes, 2 * 2 * kKvHeads * kDim);
  EXPECT_DOUBLE_EQ(cost.state_bytes, 4 * 2 * kHeads * kDim);  // the tail's only row, no anchor
  EXPECT_DOUBLE_EQ(cost.int8_ops, 2 * kTopK * kExpertWeights);
  EXPECT_DOUBLE_EQ(cost.bf16_ops, 2 * (kBf16Weights + kVocab * kHidden));
  EXPECT_DOUBLE_EQ(cost.fp32_ops, 2 * kExperts * kHidden     // router
                                      + 4 * kHeads * kDim    // attention to one position
                                      + 4 * kHeads * kDim);  // lightning, slot 0
  EXPECT_DOUBLE_EQ(cost.bytes(), cost.weight_bytes + cost.expert_bytes + cost.head_bytes +
                                     cost.kv_bytes + cost.state_bytes);
}

// One byte a weight, 4 for every output and block of 128 inputs, multiplied as BF16 is.
TEST(CostTest, Fp8) {
  PackedModel model = SmallModel();
  const StepCost before = CostOfStep(model, {});
  model.head.format = PackedFormat::kFp8;
  model.head.panel_bytes = PanelBytes(PackedFormat::kFp8, {}, kHidden);
  const StepCost cost = CostOfStep(model, {});
  EXPECT_DOUBLE_EQ(cost.head_bytes, kVocab * (kHidden + 4));
  EXPECT_DOUBLE_EQ(cost.bf16_ops, before.bf16_ops);
}

TEST(CostTest, DepthCostsKeysAndTheAnchor) {
  const StepCost cost = CostOfStep(SmallModel(), {.sequences = 3, .position = 64 + 10});
  EXPECT_DOUBLE_EQ(cost.kv_bytes, 3.0 * 75 * 2 * 2 * kKvHeads * kDim);
  EXPECT_DOUBLE_EQ(cost.state_bytes, 3.0 * (11 * 4 * 2 * kHeads * kDim + 4 * kHeads * kDim * kDim));
  // INT8 keys and values: half the bytes and one BF16 scale for each key and value.
  const StepCost narrow =
      CostOfStep(SmallModel(KvType::kInt8), {.sequences = 3, .position = 64 + 10});
  EXPECT_DOUBLE_EQ(narrow.kv_bytes, 3.0 * 75 * (2 * kKvHeads * kDim + 2 * 2 * kKvHeads));
  EXPECT_DOUBLE_EQ(narrow.fp32_ops + narrow.int8_ops / 2, cost.fp32_ops + cost.int8_ops / 2);
}

TEST(CostTest, BatchesShareWeightsButNotExperts) {
  const StepCost one = CostOfStep(SmallModel(), {});
  const StepCost many = CostOfStep(SmallModel(), {.sequences = 16});
  EXPECT_DOUBLE_EQ(many.weight_bytes, one.weight_bytes);
  EXPECT_DOUBLE_EQ(many.head_bytes, one.head_bytes);
  EXPECT_NEAR(many.expert_bytes, kExperts * (1 - std::pow(0.75, 16)) * 2 * kExpertWeights, 1e-6);
  EXPECT_NEAR(many.ops(), 16 * one.ops(), 1e-6);
}

TEST(CostTest, ExpectedExperts) {
  EXPECT_DOUBLE_EQ(ExpectedExperts(256, 8, 1), 8);
  EXPECT_NEAR(ExpectedExperts(256, 8, 16), 102, 1);
  EXPECT_NEAR(ExpectedExperts(256, 8, 2048), 256, 1e-9);
  EXPECT_DOUBLE_EQ(ExpectedExperts(4, 4, 3), 4);
}

// Row by row or all at once: the same operations; the weights are read once a step.
TEST(CostTest, PrefillIsTheSumOfItsSteps) {
  const PackedModel model = SmallModel();
  const StepCost whole = CostOfPrefill(model, 0, 200, 1000);
  const StepCost pieces = CostOfPrefill(model, 0, 200, 64);
  StepCost rows;
  for (int64_t i = 0; i < 200; ++i) {
    rows += CostOfStep(model, {.sequences = 1, .position = i, .rows = 1, .logit_rows = i == 199});
  }
  EXPECT_NEAR(whole.ops(), rows.ops(), 1e-6);
  EXPECT_NEAR(pieces.ops(), rows.ops(), 1e-6);
  EXPECT_DOUBLE_EQ(pieces.weight_bytes, 4 * whole.weight_bytes);
  EXPECT_DOUBLE_EQ(pieces.head_bytes, whole.head_bytes);
  EXPECT_DOUBLE_EQ(whole.kv_bytes, 200.0 * 2 * 2 * kKvHeads * kDim);
}

// A prompt and what follows it at depth make up the longer prompt.
TEST(CostTest, PrefillAtDepth) {
  const PackedModel model = SmallModel();
  StepCost parts = CostOfPrefill(model, 0, 128, 64);
  parts += CostOfPrefill(model, 128, 72, 64);
  const StepCost whole = CostOfPrefill(model, 0, 200, 64);
  EXPECT_NEAR(parts.ops(), whole.ops() + 2 * kVocab * kHidden, 1e-6);
  EXPECT_DOUBLE_EQ(parts.kv_bytes, whole.kv_bytes);
  EXPECT_DOUBLE_EQ(parts.state_bytes, whole.state_bytes);
  EXPECT_DOUBLE_EQ(parts.head_bytes, 2 * whole.head_bytes);
}

TEST(CostTest, MoreLayersOfTheSameKind) {
  PackedModel model = SmallModel();
  EXPECT_FALSE(LayersAlike(model));
  model.blocks.resize(1);
  EXPECT_TRUE(LayersAlike(model));
  const StepShape shape = {.sequences = 3, .position = 100, .rows = 5, .logit_rows = 1};
  const StepCost one = CostOfStep(model, shape);
  model.blocks.resize(4, model.blocks.front());
  EXPECT_TRUE(LayersAlike(model));
  const StepCost four = CostOfStep(model, shape);
  const StepCost scaled = WithLayers(model, one, 3, 4.0);
  EXPECT_NEAR(scaled.bytes(), four.bytes(), 1e-6);
  EXPECT_NEAR(scaled.ops(), four.ops(), 1e-6);
  EXPECT_DOUBLE_EQ(scaled.head_bytes, one.head_bytes);
  std::get<Mlp>(model.blocks[2].feed_forward).down = Matrix(PackedFormat::kBf16, kHidden, 128);
  EXPECT_FALSE(LayersAlike(model));
}

TEST(CostTest, MeanOverDecodeSteps) {
  const PackedModel model = SmallModel();
  const StepCost mean = MeanDecodeCost(model, 1, 100, 3);
  EXPECT_DOUBLE_EQ(mean.kv_bytes, CostOfStep(model, {.position = 101}).kv_bytes);
  EXPECT_DOUBLE_EQ(mean.weight_bytes, CostOfStep(model, {}).weight_bytes);
}

TEST(CostTest, TheSlowerOfReadingAndComputingIsTheFloor) {
  StepCost cost;
  cost.weight_bytes = 100;
  cost.fp32_ops = 30;
  cost.bf16_ops = 40;
  cost.int8_ops = 80;
  MachineRates rates{.read_bytes = 10, .fp32_ops = 10, .bf16_ops = 20, .int8_ops = 40};
  EXPECT_DOUBLE_EQ(FloorSeconds(cost, rates), 10);
  rates.read_bytes = 20;
  EXPECT_DOUBLE_EQ(FloorSeconds(cost, rates), 7);
}

}  // namespace
}  // namespace ringlet
