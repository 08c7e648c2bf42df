#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "bench/op_cases.h"
#include "bench/op_measure.h"
#include "bench/plot.h"
#include "bench/spread.h"
#include "model/cost.h"
#include "model/presets.h"

namespace ringlet {
namespace {

ModelConfig Config(const std::string& preset) {
  const Result<const Preset*> found = FindPreset(preset);
  EXPECT_TRUE(found.ok());
  Result<ModelConfig> config = PresetConfig(*found.value());
  EXPECT_TRUE(config.ok());
  return std::move(config).value();
}

TEST(SpreadTest, MedianOfOddAndEven) {
  const Spread odd = SpreadOf({3, 1, 2});
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 3);
  EXPECT_EQ(SpreadOf({4, 1, 2, 3}).median, 2.5);
}

TEST(OpShapesTest, CountsWhatATokenRuns) {
  const ModelShapes shapes = ShapesOf(EmptyModel(Config("ring-mini-linear"), KvType::kInt8));
  EXPECT_EQ(shapes.layers, shapes.softmax.layers + shapes.lightning.layers);
  EXPECT_EQ(shapes.layers, shapes.moe.layers + shapes.dense.layers);
  EXPECT_EQ(shapes.moe.experts, 256);
  EXPECT_EQ(shapes.moe.top_k, 8);
  EXPECT_EQ(shapes.softmax.kv.type, KvType::kInt8);
  std::map<std::string, int64_t> counts;
  for (const NamedMatrix& matrix : shapes.matrices) counts[matrix.name] += matrix.per_token;
  EXPECT_EQ(counts["qkv"], shapes.layers);
  EXPECT_EQ(counts["out"], shapes.layers);
  EXPECT_EQ(counts["gate"], shapes.lightning.layers);
  EXPECT_EQ(counts["router"], shapes.moe.layers);
  EXPECT_EQ(counts["head"], 1);
}

// The operators of a token together read and compute what the model's cost says.
TEST(OpCasesTest, AddUpToTheCostOfAToken) {
  for (const char* preset : {"ring-mini-linear", "tiny-hybrid", "qwen3-8b"}) {
    const PackedModel model = EmptyModel(Config(preset), KvType::kBf16);
    const OpCaseOptions options{.depths = {4096}, .prefill_rows = 512};
    OpWork sum;
    for (const OpCase& op : OpCases(ShapesOf(model), options)) {
      sum.bytes += op.per_token * op.work.bytes;
      sum.int8_ops += op.per_token * op.work.int8_ops;
      sum.fp32_ops += op.per_token * op.work.fp32_ops;
    }
    // Slot 31 of a chunk.
    const StepCost cost = CostOfStep(model, {.position = 4096 + 31});
    EXPECT_NEAR(sum.bytes / cost.bytes(), 1, 0.01) << preset;
    EXPECT_NEAR(sum.int8_ops / std::max(cost.int8_ops, 1.0), cost.int8_ops > 0 ? 1 : 0, 0.01)
        << preset;
    EXPECT_NEAR(sum.fp32_ops / cost.fp32_ops, 1, 0.05) << preset;
  }
}

TEST(OpMeasureTest, FloorIsTheLargerOne) {
  const MachineRates rates{.read_bytes = 10, .fp32_ops = 4, .bf16_ops = 8, .int8_ops = 16};
  const OpFloor memory =
      FloorOf({.bytes = 100, .int8_ops = 16, .bf16_ops = 8, .fp32_ops = 4}, rates);
  EXPECT_EQ(memory.seconds, 10);
  EXPECT_EQ(memory.bound, OpBound::kMemory);
  const OpFloor compute =
      FloorOf({.bytes = 10, .int8_ops = 16, .bf16_ops = 8, .fp32_ops = 4}, rates);
  EXPECT_EQ(compute.seconds, 3);
  EXPECT_EQ(compute.bound, OpBound::kCompute);
  EXPECT_EQ(FloorOf({}, rates).bound, OpBound::kNone);
}

// Every case runs, on one thread and on two.
TEST(OpMeasureTest, TimesEveryOperatorOfATinyModel) {
  const ModelShapes shapes = ShapesOf(EmptyModel(Config("tiny-hybrid"), KvType::kBf16));
  for (const int threads : {1, 2}) {
    Context context(IsaChoice::Detect(), threads);
    std::vector<OpCase> cases =
        OpCases(shapes, {.depths = {100, 300}, .prefill_rows = 70, .working_set = 1 << 20});
    EXPECT_GT(cases.size(), 40u);
    for (OpCase& op : cases) {
      const OpTiming timing = TimeOp(context, op, 0);
      EXPECT_GE(timing.samples, 3) << op.op << op.shape;
      EXPECT_GT(timing.seconds.min, 0) << op.op << op.shape;
      EXPECT_LE(timing.seconds.median, timing.seconds.max) << op.op << op.shape;
      op = {};
    }
  }
}

TEST(PlotTest, ShowsEveryPointAndEscapesNames) {
  const PlotPanel panel{.title = "a < b & c",
                        .x_label = "tokens",
                        .y_label = "tokens/s",
                        .series = {{.label = "m", .points = {{0, 40, 39, 41}, {4096, 30, 30, 30}}},
                                   {.label = "limit", .points = {{0, 45}}, .dashed = true}}};
  const std::string svg = RenderSvg({panel, {}});
  EXPECT_EQ(svg.find("a < b"), std::string::npos);
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  size_t circles = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) {
    ++circles;
  }
  EXPECT_EQ(circles, 2u);
  EXPECT_NE(svg.find(">4K<"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace ringlet
