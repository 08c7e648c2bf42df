// Tensors of Hugging Face checkpoints: every role is bound, and every flaw is named.
#include <gtest/gtest.h>

#include <functional>

#include "model/test_support.h"

namespace ringlet {
namespace {

struct Bound {
  ModelConfig config;
  ModelWeights weights;
  Status status;
};

BindFunction BindOf(const Json& json) { return FindHfArchitecture(json, "test").value()->bind; }

Bound BindAll(const Json& json, const TensorSource& tensors) {
  Bound out{.config = MapHfConfig(json, "test").value(), .weights = {}, .status = {}};
  out.status = BindTensors(BindOf(json), tensors, out.config, out.weights);
  return out;
}

MemoryTensors TensorsOf(const Json& json) {
  return PlannedTensors(BindOf(json), MapHfConfig(json, "test").value());
}

TEST(HfBinding, Hybrid) {
  const Json json = PatchedPreset("tiny-hybrid", "{}");
  MemoryTensors tensors = TensorsOf(json);
  const Bound bound = BindAll(json, tensors);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  const ModelWeights& w = bound.weights;
  EXPECT_EQ(w.embedding.segments[0].tensor->name, "model.word_embeddings.weight");
  EXPECT_EQ(w.head.segments[0].tensor->name, "lm_head.weight");
  EXPECT_EQ(w.final_norm->name, "model.norm.weight");
  ASSERT_EQ(w.layers.size(), 11u);
  const LayerWeights& linear = w.layers[0];
  EXPECT_EQ(linear.attention.qkv.rows, 3 * 64);
  EXPECT_EQ(linear.attention.gate.segments[0].tensor->name,
            "model.layers.0.attention.g_proj.weight");
  EXPECT_EQ(linear.attention.group_norm->name, "model.layers.0.attention.g_norm.weight");
  EXPECT_EQ(linear.attention.q_norm->name, "model.layers.0.attention.query_layernorm.weight");
  EXPECT_EQ(linear.attention.k_norm->name, "model.layers.0.attention.key_layernorm.weight");
  EXPECT_EQ(linear.attention.out.segments[0].tensor->name, "model.layers.0.attention.dense.weight");
  EXPECT_EQ(linear.input_norm->name, "model.layers.0.input_layernorm.weight");
  EXPECT_EQ(linear.post_norm->name, "model.layers.0.post_attention_layernorm.weight");
  ASSERT_TRUE(linear.dense.has_value());
  EXPECT_EQ(linear.dense->gate_up.rows, 2 * 96);
  EXPECT_EQ(linear.dense->gate_up.segments[0].tensor->name, "model.layers.0.mlp.gate_proj.weight");
  EXPECT_EQ(linear.dense->gate_up.segments[1].tensor->name, "model.layers.0.mlp.up_proj.weight");
  EXPECT_FALSE(linear.moe.has_value());
  const LayerWeights& softmax = w.layers[4];
  EXPECT_EQ(softmax.attention.qkv.rows, (4 + 2 * 2) * 16);
  EXPECT_FALSE(softmax.attention.gate.present());
  EXPECT_EQ(softmax.attention.group_norm, nullptr);
  ASSERT_TRUE(softmax.moe.has_value());
  EXPECT_EQ(softmax.moe->router.rows, 16);
  EXPECT_EQ(softmax.moe->expert_bias->name, "model.layers.4.mlp.gate.expert_bias");
  ASSERT_EQ(softmax.moe->experts.size(), 16u);
  EXPECT_EQ(softmax.moe->experts[7].down.segments[0].tensor->name,
            "model.layers.4.mlp.experts.7.down_proj.weight");
  ASSERT_TRUE(softmax.moe->shared.has_value());
}

TEST(HfBinding, RingMiniHas14845Tensors) {
  const Json json = PatchedPreset("ring-mini-linear", "{}");
  TensorBinder binder;
  ModelConfig config = MapHfConfig(json, "test").value();
  ModelWeights weights;
  BindOf(json)(binder, config, weights);
  EXPECT_EQ(binder.plan().size(), 14845u);
}

TEST(HfBinding, Dense) {
  for (const char* preset : {"tiny-llama", "tiny-qwen3"}) {
    const Json json = PatchedPreset(preset, R"({"tie_word_embeddings": false})");
    MemoryTensors tensors = TensorsOf(json);
    const Bound bound = BindAll(json, tensors);
    ASSERT_TRUE(bound.status.ok()) << bound.status.message();
    const AttentionWeights& attention = bound.weights.layers[2].attention;
    EXPECT_EQ(attention.qkv.rows, 128);
    ASSERT_EQ(attention.qkv.segments.size(), 3u);
    EXPECT_EQ(attention.qkv.segments[1].tensor->name, "model.layers.2.self_attn.k_proj.weight");
    EXPECT_EQ(attention.q_norm != nullptr, std::string_view(preset) == "tiny-qwen3");
    EXPECT_EQ(bound.weights.head.segments[0].tensor->name, "lm_head.weight");
  }
}

TEST(HfBinding, TiedEmbeddings) {
  const Json json = PatchedPreset("tiny-llama", "{}");
  MemoryTensors tensors = TensorsOf(json);
  Bound bound = BindAll(json, tensors);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.weights.head.segments[0].tensor->name, "model.embed_tokens.weight");
  // A redundant copy is accepted, and not used.
  tensors.AddZeros("lm_head.weight", DType::kBF16, {512, 64});
  bound = BindAll(json, tensors);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.weights.head.segments[0].tensor->name, "model.embed_tokens.weight");
  tensors.AddZeros("lm_head.weight", DType::kBF16, {511, 64});
  EXPECT_FALSE(BindAll(json, tensors).status.ok());
}

TEST(HfBinding, ExpertBiasByItsOtherName) {
  const Json json = PatchedPreset("tiny-ling", R"({"num_nextn_predict_layers": 0})");
  MemoryTensors tensors = TensorsOf(json);
  for (int l = 1; l < 4; ++l) {
    const std::string gate = "model.layers." + std::to_string(l) + ".mlp.gate.";
    tensors.Rename(gate + "expert_bias", gate + "e_score_correction_bias");
  }
  const Bound bound = BindAll(json, tensors);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.weights.layers[1].moe->expert_bias->name,
            "model.layers.1.mlp.gate.e_score_correction_bias");
}

TEST(HfBinding, MtpLayers) {
  const Json json = PatchedPreset("tiny-ling", "{}");
  MemoryTensors tensors = TensorsOf(json);
  Bound bound = BindAll(json, tensors);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  ASSERT_EQ(bound.weights.mtp.size(), 1u);
  EXPECT_EQ(bound.config.mtp_layers, 1);
  EXPECT_EQ(bound.weights.mtp[0].projection.segments[0].tensor->name,
            "model.layers.4.eh_proj.weight");
  EXPECT_TRUE(bound.weights.mtp[0].layer.moe.has_value());
  // Chat checkpoints state the layer and leave it out.
  for (const std::string& name : tensors.Names()) {
    if (name.starts_with("model.layers.4.")) tensors.Remove(name);
  }
  bound = BindAll(json, tensors);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.config.mtp_layers, 0);
  EXPECT_TRUE(bound.weights.mtp.empty());
}

// The same key is the width of one shared expert, or of both together.
TEST(HfBinding, SharedExpertWidthFromTheTensor) {
  const Json per_expert = PatchedPreset("tiny-hybrid", R"({"num_shared_experts": 2})");
  const Json together = PatchedPreset(
      "tiny-hybrid", R"({"num_shared_experts": 2, "moe_shared_expert_intermediate_size": 64})");
  const MemoryTensors tensors = TensorsOf(per_expert);
  for (const Json& json : {per_expert, together}) {
    const Bound bound = BindAll(json, tensors);
    ASSERT_TRUE(bound.status.ok()) << bound.status.message();
    EXPECT_EQ(bound.config.moe.shared_ffn, 64);
    EXPECT_EQ(bound.weights.layers[1].moe->shared->down.cols, 64);
  }
}

TEST(HfBinding, BuffersThatNobodyReadsAreSkipped) {
  const Json json = PatchedPreset("tiny-hybrid", "{}");
  MemoryTensors tensors = TensorsOf(json);
  tensors.AddZeros("model.layers.0.attention.slope", DType::kF32, {4});
  tensors.AddZeros("model.layers.0.attention.rotary_emb.inv_freq", DType::kF32, {4});
  tensors.AddZeros("v_head.weight", DType::kF32, {4});
  EXPECT_TRUE(BindAll(json, tensors).status.ok());
}

TEST(HfBinding, Fp8) {
  const Json json = PatchedPreset("tiny-hybrid", "{}");
  MemoryTensors tensors = TensorsOf(json);
  const std::string name = "model.layers.0.attention.query_key_value.weight";
  tensors.AddZeros(name, DType::kF8E4M3, {192, 64});
  tensors.AddZeros(name + "_scale_inv", DType::kF32, {2, 1});
  const Bound bound = BindAll(json, tensors);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.weights.layers[0].attention.qkv.dtype(), DType::kF8E4M3);
}

struct BadTensors {
  const char* name;
  std::function<void(MemoryTensors&)> change;
  const char* message;
};

void PrintTo(const BadTensors& bad, std::ostream* out) { *out << bad.name; }

class HfBindingRefuses : public testing::TestWithParam<BadTensors> {};

TEST_P(HfBindingRefuses, WithFileTensorAndExpectation) {
  const Json json = PatchedPreset("tiny-hybrid", R"({"num_nextn_predict_layers": 1})");
  MemoryTensors tensors = TensorsOf(json);
  GetParam().change(tensors);
  const Status status = BindAll(json, tensors).status;
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kInvalidInput);
  EXPECT_EQ(status.message().rfind("memory: ", 0), 0u) << status.message();
  EXPECT_NE(status.message().find(GetParam().message), std::string::npos) << status.message();
}

constexpr const char* kQkv0 = "model.layers.0.attention.query_key_value.weight";

const BadTensors kBadTensors[] = {
    {"NoEmbedding", [](MemoryTensors& t) { t.Remove("model.word_embeddings.weight"); },
     "model.word_embeddings.weight: found no such tensor, expected a tensor of shape [512, 64]"},
    {"NoHead", [](MemoryTensors& t) { t.Remove("lm_head.weight"); },
     "lm_head.weight: found no such tensor"},
    {"NoFinalNorm", [](MemoryTensors& t) { t.Remove("model.norm.weight"); },
     "model.norm.weight: found no such tensor, expected a tensor of shape [64]"},
    {"NoGate", [](MemoryTensors& t) { t.Remove("model.layers.3.attention.g_proj.weight"); },
     "model.layers.3.attention.g_proj.weight: found no such tensor"},
    {"NoGroupNorm", [](MemoryTensors& t) { t.Remove("model.layers.3.attention.g_norm.weight"); },
     "model.layers.3.attention.g_norm.weight: found no such tensor"},
    {"NoExpert", [](MemoryTensors& t) { t.Remove("model.layers.1.mlp.experts.15.up_proj.weight"); },
     "model.layers.1.mlp.experts.15.up_proj.weight: found no such tensor"},
    {"NoExpertBias", [](MemoryTensors& t) { t.Remove("model.layers.1.mlp.gate.expert_bias"); },
     "model.layers.1.mlp.gate.expert_bias: found no such tensor, expected a tensor of shape [16]"},
    {"NoSharedExpert",
     [](MemoryTensors& t) { t.Remove("model.layers.1.mlp.shared_experts.down_proj.weight"); },
     "shared_experts.down_proj.weight: found no such tensor"},
    {"HalfAnMtpLayer", [](MemoryTensors& t) { t.Remove("model.layers.11.eh_proj.weight"); },
     "model.layers.11.eh_proj.weight: found no such tensor, expected a tensor of shape [64, 128]"},
    {"QkvOfTheOtherLayerKind",
     [](MemoryTensors& t) {
       t.AddZeros(kQkv0, DType::kBF16, {128, 64});
     },
     "query_key_value.weight: found shape [128, 64], expected shape [192, 64]"},
    {"Transposed",
     [](MemoryTensors& t) {
       t.AddZeros(kQkv0, DType::kBF16, {64, 192});
     },
     "found shape [64, 192], expected shape [192, 64]"},
    {"Flat", [](MemoryTensors& t) { t.AddZeros(kQkv0, DType::kBF16, {192 * 64}); },
     "found shape [12288], expected shape [192, 64]"},
    {"Scalar", [](MemoryTensors& t) { t.AddZeros("model.norm.weight", DType::kF32, {}); },
     "model.norm.weight: found shape [], expected shape [64]"},
    {"GroupNormByGroups",
     [](MemoryTensors& t) {
       t.AddZeros("model.layers.0.attention.g_norm.weight", DType::kF32, {4, 16});
     },
     "g_norm.weight: found shape [4, 16], expected shape [64]"},
    {"IntegerMatrix",
     [](MemoryTensors& t) {
       t.AddZeros(kQkv0, DType::kI32, {192, 64});
     },
     "found dtype I32, expected F32, F16, BF16, F8_E4M3"},
    {"DoubleMatrix",
     [](MemoryTensors& t) {
       t.AddZeros(kQkv0, DType::kF64, {192, 64});
     },
     "found dtype F64, expected F32, F16, BF16, F8_E4M3"},
    {"IntegerNorm", [](MemoryTensors& t) { t.AddZeros("model.norm.weight", DType::kI8, {64}); },
     "model.norm.weight: found dtype I8, expected F32, F16 or BF16"},
    {"Fp8Norm", [](MemoryTensors& t) { t.AddZeros("model.norm.weight", DType::kF8E4M3, {64}); },
     "model.norm.weight: found dtype F8_E4M3, expected F32, F16 or BF16"},
    {"Fp8WithoutScales",
     [](MemoryTensors& t) {
       t.AddZeros(kQkv0, DType::kF8E4M3, {192, 64});
     },
     "query_key_value.weight_scale_inv: found no such tensor, expected a tensor of shape [2, 1]"},
    {"Fp8ScalesOfAnotherShape",
     [](MemoryTensors& t) {
       t.AddZeros(kQkv0, DType::kF8E4M3, {192, 64});
       t.AddZeros(std::string(kQkv0) + "_scale_inv", DType::kF32, {192, 1});
     },
     "weight_scale_inv: found shape [192, 1], expected shape [2, 1]"},
    {"Fp8ScalesOfAnotherType",
     [](MemoryTensors& t) {
       t.AddZeros(kQkv0, DType::kF8E4M3, {192, 64});
       t.AddZeros(std::string(kQkv0) + "_scale_inv", DType::kU8, {2, 1});
     },
     "weight_scale_inv: found dtype U8"},
    {"ScalesWithoutFp8",
     [](MemoryTensors& t) {
       t.AddZeros(std::string(kQkv0) + "_scale_inv", DType::kF32, {2, 1});
     },
     "weight_scale_inv: found scales for a tensor of dtype F32"},
    {"BytesMissing",
     [](MemoryTensors& t) {
       t.AddBytes(kQkv0, DType::kF32, {192, 64}, std::vector<std::byte>(100));
     },
     "found 100 bytes, expected whole rows of F32"},
    {"Bias",
     [](MemoryTensors& t) {
       t.AddZeros("model.layers.0.attention.query_key_value.bias", DType::kF32, {192});
     },
     "query_key_value.bias: found a tensor with no place in the model"},
    {"LayerTooMany",
     [](MemoryTensors& t) {
       for (const char* name : {"a", "b", "c", "d", "e"}) {
         t.AddZeros(std::string("model.layers.12.") + name, DType::kF32, {1});
       }
     },
     "model.layers.12.a, model.layers.12.b, model.layers.12.c and 2 more: found tensors with no "
     "place"},
    {"GateOnSoftmaxLayer",
     [](MemoryTensors& t) {
       t.AddZeros("model.layers.4.attention.g_proj.weight", DType::kF32, {64, 64});
     },
     "model.layers.4.attention.g_proj.weight: found a tensor with no place"},
    {"LatentAttentionTensors",
     [](MemoryTensors& t) {
       t.AddZeros("model.layers.4.attention.kv_a_proj_with_mqa.weight", DType::kF32, {64, 64});
     },
     "kv_a_proj_with_mqa.weight: found a tensor with no place"},
    {"SharedExpertOfAnotherWidth",
     [](MemoryTensors& t) {
       t.AddZeros("model.layers.1.mlp.shared_experts.gate_proj.weight", DType::kF32, {16, 64});
     },
     "shared_experts.gate_proj.weight: found shape [16, 64], expected shape [32, 64]"},
};

INSTANTIATE_TEST_SUITE_P(All, HfBindingRefuses, testing::ValuesIn(kBadTensors),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(HfBinding, ExpertBiasAgainstTheConfiguration) {
  const MemoryTensors tensors = TensorsOf(PatchedPreset("tiny-hybrid", "{}"));
  const Json json = PatchedPreset("tiny-hybrid", R"({"moe_router_enable_expert_bias": false})");
  const Status status = BindAll(json, tensors).status;
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.message().find("mlp.gate.expert_bias"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace ringlet
