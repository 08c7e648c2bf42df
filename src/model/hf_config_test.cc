// config.json of the Hugging Face architectures: what maps to what, and what is refused.
#include <gtest/gtest.h>

#include "model/test_support.h"

namespace ringlet {
namespace {

Result<ModelConfig> Map(std::string_view preset, std::string_view patch) {
  return MapHfConfig(PatchedPreset(preset, patch), "config.json");
}

ModelConfig Mapped(std::string_view preset, std::string_view patch) {
  auto config = Map(preset, patch);
  EXPECT_TRUE(config.ok()) << patch << ": " << config.status().message();
  return config.ok() ? *config : ModelConfig();
}

std::string Kinds(const ModelConfig& config) {
  std::string out;
  for (const LayerSpec& spec : config.layers) {
    out += spec.mixer == MixerKind::kSoftmax ? 'S' : 'L';
    out += spec.ffn == FfnKind::kDense ? 'd' : 'm';
  }
  return out;
}

TEST(HfConfig, RingMiniLinear) {
  const ModelConfig c = Mapped("ring-mini-linear", "{}");
  EXPECT_EQ(c.architecture, "BailingMoeLinearV2ForCausalLM");
  EXPECT_EQ(c.vocab, 157184);
  EXPECT_EQ(c.hidden, 2048);
  EXPECT_EQ(c.heads, 16);
  EXPECT_EQ(c.kv_heads, 4);
  EXPECT_EQ(c.head_dim, 128);
  EXPECT_EQ(c.dense_ffn, 5120);
  EXPECT_EQ(c.norm_eps, 1e-6);
  EXPECT_TRUE(c.qk_norm);
  EXPECT_FALSE(c.tied_embeddings);
  EXPECT_EQ(c.group_norm_groups, 4);
  EXPECT_EQ(c.max_position, 131072);
  EXPECT_EQ(c.rope.rotary_dim, 64);
  EXPECT_EQ(c.rope.theta, 1e6);
  EXPECT_EQ(c.rope.scaling, RopeScaling::kNone);
  EXPECT_EQ(c.moe.experts, 256);
  EXPECT_EQ(c.moe.top_k, 8);
  EXPECT_EQ(c.moe.groups, 8);
  EXPECT_EQ(c.moe.top_groups, 4);
  EXPECT_EQ(c.moe.expert_ffn, 512);
  EXPECT_EQ(c.moe.shared_ffn, 512);
  EXPECT_EQ(c.moe.routed_scale, 2.5);
  EXPECT_TRUE(c.moe.normalize);
  EXPECT_TRUE(c.moe.expert_bias);
  EXPECT_EQ(c.decay, DecayFactor::kA);
  EXPECT_EQ(c.mtp_layers, 0);
  EXPECT_EQ(c.eos_ids, std::vector<int32_t>{156892});
  EXPECT_EQ(c.bos_id, -1);
  EXPECT_EQ(Kinds(c), "LdLmLmLmSmLmLmLmLmSmLmLmLmLmSmLmLmLmLmSm");
  EXPECT_EQ(c.qkv_rows(MixerKind::kLightning), 6144);
  EXPECT_EQ(c.qkv_rows(MixerKind::kSoftmax), 3072);
}

TEST(HfConfig, LayerKinds) {
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", "{}")), "LdLmLmLmSmLmLmLmLmSmSm");
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", R"({"num_hidden_layers": 13})")),
            "LdLmLmLmSmLmLmLmLmSmSmSmSm");
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", R"({"num_hidden_layers": 3})")), "SdSmSm");
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", R"({"num_hidden_layers": 3, "layer_group_size": 1})")),
            "SdSmSm");
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", R"({"num_hidden_layers": 4, "layer_group_size": 2,
                                            "first_k_dense_replace": 3})")),
            "LdSdLdSm");
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", R"({"num_hidden_layers": 2,
                            "layer_types": ["full_attention", "linear_attention"]})")),
            "SdLm");
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", R"({"num_hidden_layers": 5, "first_k_dense_replace": 0})")),
            "LmLmLmLmSm");
  EXPECT_EQ(Kinds(Mapped("tiny-hybrid", R"({"num_hidden_layers": 5, "num_experts": null})")),
            "LdLdLdLdSd");
  EXPECT_EQ(Kinds(Mapped("tiny-ling", "{}")), "SdSmSmSm");
}

TEST(HfConfig, DecaySwitch) {
  EXPECT_EQ(Mapped("tiny-hybrid", R"({"ringlet_decay_factor": "A"})").decay, DecayFactor::kA);
  EXPECT_EQ(Mapped("tiny-hybrid", R"({"ringlet_decay_factor": "B"})").decay, DecayFactor::kB);
  EXPECT_EQ(Mapped("tiny-hybrid", R"({"ringlet_decay_factor": "C"})").decay, DecayFactor::kC);
}

TEST(HfConfig, Moe) {
  EXPECT_EQ(Mapped("tiny-ling", R"({"num_shared_experts": 2})").moe.shared_ffn, 64);
  EXPECT_EQ(Mapped("tiny-ling", R"({"num_shared_experts": 0})").moe.shared_ffn, 0);
  EXPECT_EQ(Mapped("tiny-ling", R"({"num_shared_experts": null})").moe.shared_ffn, 0);
  EXPECT_EQ(Mapped("tiny-ling", R"({"moe_shared_expert_intermediate_size": null})").moe.shared_ffn,
            32);
  EXPECT_EQ(Mapped("tiny-ling", R"({"n_group": null, "topk_group": null})").moe.groups, 1);
  EXPECT_EQ(Mapped("tiny-ling", R"({"n_group": 0, "topk_group": 0})").moe.groups, 1);
  EXPECT_EQ(Mapped("tiny-ling", R"({"n_group": 0, "topk_group": 0})").moe.top_groups, 1);
  EXPECT_FALSE(Mapped("tiny-ling", R"({"norm_topk_prob": false})").moe.normalize);
  EXPECT_TRUE(Mapped("tiny-ling", R"({"norm_topk_prob": null})").moe.normalize);
  EXPECT_FALSE(Mapped("tiny-ling", R"({"num_experts_per_tok": 1})").moe.normalize);
  EXPECT_FALSE(Mapped("tiny-ling", R"({"moe_router_enable_expert_bias": false})").moe.expert_bias);
  EXPECT_EQ(Mapped("tiny-ling", R"({"num_nextn_predict_layers": 2})").mtp_layers, 2);
}

TEST(HfConfig, RotaryDimension) {
  EXPECT_EQ(Mapped("tiny-ling", "{}").rope.rotary_dim, 8);
  EXPECT_EQ(Mapped("tiny-ling", R"({"rotary_dim": 12})").rope.rotary_dim, 12);
  EXPECT_EQ(
      Mapped("tiny-ling", R"({"rotary_dim": 4, "partial_rotary_factor": null})").rope.rotary_dim,
      4);
  EXPECT_EQ(Mapped("tiny-ling", R"({"partial_rotary_factor": null, "rope_theta": null,
      "rope_parameters": {"rope_type": "default", "rope_theta": 5000, "partial_rotary_factor": 0.25}})")
                .rope.rotary_dim,
            4);
  EXPECT_EQ(Mapped("tiny-llama", "{}").rope.rotary_dim, 16);
}

TEST(HfConfig, Yarn) {
  const ModelConfig c = Mapped("tiny-hybrid", R"({"rope_scaling": {"type": "yarn", "factor": 4.0,
      "original_max_position_embeddings": 1024}})");
  EXPECT_EQ(c.rope.scaling, RopeScaling::kYarn);
  EXPECT_EQ(c.rope.factor, 4.0);
  EXPECT_EQ(c.rope.original_max_position, 1024);
  EXPECT_EQ(c.rope.beta_fast, 32.0);
  EXPECT_EQ(c.rope.beta_slow, 1.0);
  EXPECT_DOUBLE_EQ(c.rope.attention_factor, 1.1386294361119891);
  const ModelConfig d =
      Mapped("tiny-hybrid", R"({"rope_scaling": {"rope_type": "yarn", "type": "yarn",
      "factor": 2, "beta_fast": 16, "beta_slow": 2, "attention_factor": 1.25, "truncate": true}})");
  EXPECT_EQ(d.rope.original_max_position, 4096);
  EXPECT_EQ(d.rope.beta_fast, 16.0);
  EXPECT_EQ(d.rope.beta_slow, 2.0);
  EXPECT_EQ(d.rope.attention_factor, 1.25);
}

TEST(HfConfig, OtherScalings) {
  const ModelConfig c = Mapped("llama-3.1-8b", "{}");
  EXPECT_EQ(c.rope.scaling, RopeScaling::kLlama3);
  EXPECT_EQ(c.rope.factor, 8.0);
  EXPECT_EQ(c.rope.low_freq_factor, 1.0);
  EXPECT_EQ(c.rope.high_freq_factor, 4.0);
  EXPECT_EQ(c.rope.original_max_position, 8192);
  EXPECT_EQ(c.rope.theta, 500000.0);
  const ModelConfig d =
      Mapped("tiny-llama", R"({"rope_scaling": {"type": "linear", "factor": 2.5}})");
  EXPECT_EQ(d.rope.scaling, RopeScaling::kLinear);
  EXPECT_EQ(d.rope.factor, 2.5);
  EXPECT_EQ(Mapped("tiny-llama", R"({"rope_scaling": {"rope_type": "default"}})").rope.scaling,
            RopeScaling::kNone);
}

// The spelling of transformers 5.
TEST(HfConfig, RopeParameters) {
  const ModelConfig c = Mapped("tiny-qwen3", R"({"rope_theta": null, "rope_scaling": null,
      "rope_parameters": {"rope_theta": 2000000, "rope_type": "yarn", "factor": 4.0,
                          "original_max_position_embeddings": 512},
      "torch_dtype": null, "dtype": "bfloat16"})");
  EXPECT_EQ(c.rope.theta, 2e6);
  EXPECT_EQ(c.rope.scaling, RopeScaling::kYarn);
  EXPECT_EQ(Mapped("tiny-qwen3", R"({"rope_parameters": {"rope_theta": 1000000}})").rope.theta,
            1e6);
}

TEST(HfConfig, Dense) {
  const ModelConfig c = Mapped("smollm2-135m", R"({"is_llama_config": true,
      "rope_interleaved": false, "pretraining_tp": 1, "transformers_version": "4.42.3",
      "transformers.js_config": {"kv_cache_dtype": {}}, "_name_or_path": "x"})");
  EXPECT_EQ(c.head_dim, 64);
  EXPECT_TRUE(c.tied_embeddings);
  EXPECT_FALSE(c.qk_norm);
  EXPECT_EQ(c.moe.experts, 0);
  EXPECT_EQ(Kinds(Mapped("tiny-llama", "{}")), "SdSdSd");
  EXPECT_EQ(Mapped("tiny-llama", R"({"num_key_value_heads": null})").kv_heads, 4);
  EXPECT_EQ(Mapped("tiny-llama", R"({"rope_theta": null})").rope.theta, 10000.0);
  EXPECT_TRUE(Mapped("tiny-qwen3", "{}").qk_norm);
  Mapped("tiny-qwen3", R"({"layer_types": ["full_attention", "full_attention", "full_attention"],
                           "max_window_layers": 3})");
  Mapped("tiny-qwen3", R"({"sliding_window": 4096})");
}

TEST(HfConfig, TokenIds) {
  const ModelConfig c = Mapped("tiny-llama", R"({"eos_token_id": [7, 3], "bos_token_id": 5})");
  EXPECT_EQ(c.eos_ids, (std::vector<int32_t>{3, 7}));
  EXPECT_EQ(c.bos_id, 5);
  EXPECT_TRUE(Mapped("tiny-llama", R"({"eos_token_id": -1})").eos_ids.empty());
  EXPECT_TRUE(Mapped("tiny-llama", R"({"eos_token_id": null})").eos_ids.empty());
}

TEST(HfConfig, Fp8Block) {
  Mapped("tiny-ling", R"({"quantization_config": {"quant_method": "fp8", "fmt": "e4m3",
      "activation_scheme": "dynamic", "weight_block_size": [128, 128],
      "modules_to_not_convert": ["lm_head"]}})");
}

TEST(HfConfig, ModelTypeDecidesWithoutArchitectures) {
  EXPECT_EQ(Mapped("tiny-ling", R"({"architectures": null})").architecture,
            "BailingMoeV2ForCausalLM");
  EXPECT_EQ(Mapped("tiny-qwen3", R"({"architectures": null})").architecture, "Qwen3ForCausalLM");
}

struct BadConfig {
  const char* name;
  const char* preset;
  const char* patch;
  const char* message;  // must occur in the error
  StatusCode code = StatusCode::kInvalidInput;
};

void PrintTo(const BadConfig& bad, std::ostream* out) { *out << bad.name; }

class HfConfigRefuses : public testing::TestWithParam<BadConfig> {};

TEST_P(HfConfigRefuses, WithFileKeyAndExpectation) {
  const BadConfig& bad = GetParam();
  const auto config = Map(bad.preset, bad.patch);
  ASSERT_FALSE(config.ok());
  const std::string& message = config.status().message();
  EXPECT_NE(message.find(bad.message), std::string::npos) << message;
  EXPECT_EQ(message.rfind("config.json: ", 0), 0u) << message;
  EXPECT_EQ(config.status().code(), bad.code) << message;
}

constexpr StatusCode kNo = StatusCode::kUnsupported;

const BadConfig kBadConfigs[] = {
    {"UnknownKey", "tiny-hybrid", R"({"attention_sink": 4})",
     "attention_sink: found 4, expected a key listed"},
    {"UnknownKeyLlama", "tiny-llama", R"({"logit_scale": 0.5})", "logit_scale: found 0.5"},
    {"UnknownKeyQwen3", "tiny-qwen3", R"({"num_experts": 4})", "num_experts: found 4"},
    {"DecaySwitchWithoutLinearLayers", "tiny-ling", R"({"ringlet_decay_factor": "A"})",
     "ringlet_decay_factor: found \"A\""},
    {"DecaySwitchValue", "tiny-hybrid", R"({"ringlet_decay_factor": "D"})",
     "ringlet_decay_factor: found \"D\", expected \"A\", \"B\" or \"C\""},
    {"DecaySwitchType", "tiny-hybrid", R"({"ringlet_decay_factor": 1})",
     "ringlet_decay_factor: found 1, expected a string"},
    {"NoArchitecture", "tiny-hybrid", R"({"architectures": null, "model_type": null})",
     "model_type: found nothing, expected one of Bailing", kNo},
    {"OtherArchitecture", "tiny-hybrid", R"({"architectures": ["GPT2LMHeadModel"]})",
     "architectures: found \"GPT2LMHeadModel\", expected one of", kNo},
    {"TwoArchitectures", "tiny-hybrid", R"({"architectures": ["a", "b"]})",
     "expected a list of one architecture"},
    {"ArchitectureNotAList", "tiny-hybrid", R"({"architectures": "LlamaForCausalLM"})",
     "expected a list of one architecture"},
    {"LatentAttention", "tiny-hybrid", R"({"kv_lora_rank": 512})",
     "kv_lora_rank: found 512, unsupported: multi-head latent attention", kNo},
    {"LatentAttentionHeads", "tiny-hybrid", R"({"qk_rope_head_dim": 64})",
     "qk_rope_head_dim: found 64, unsupported", kNo},
    {"MissingHidden", "tiny-hybrid", R"({"hidden_size": null})",
     "hidden_size: found nothing, expected an integer from 1"},
    {"HiddenIsText", "tiny-hybrid", R"({"hidden_size": "64"})",
     "hidden_size: found \"64\", expected an integer"},
    {"HiddenIsFraction", "tiny-hybrid", R"({"hidden_size": 64.5})", "hidden_size: found 64.5"},
    {"HiddenZero", "tiny-hybrid", R"({"hidden_size": 0})", "hidden_size: found 0"},
    {"HiddenNegative", "tiny-hybrid", R"({"hidden_size": -64})", "hidden_size: found -64"},
    {"HiddenHuge", "tiny-hybrid", R"({"hidden_size": 18446744073709551615})",
     "hidden_size: found 18446744073709551615"},
    {"LayersHuge", "tiny-llama", R"({"num_hidden_layers": 1000000000})",
     "num_hidden_layers: found 1000000000, expected an integer from 1 to 4096"},
    {"LayersMissing", "tiny-qwen3", R"({"num_hidden_layers": null})",
     "num_hidden_layers: found nothing"},
    {"VocabMissing", "tiny-llama", R"({"vocab_size": null})", "vocab_size: found nothing"},
    {"VocabHuge", "tiny-llama", R"({"vocab_size": 1000000000000})", "vocab_size: found 10000"},
    {"HeadsDoNotDivide", "tiny-llama", R"({"num_key_value_heads": 3})",
     "num_key_value_heads: found 3, expected a divisor of num_attention_heads (4)"},
    {"NoHeadDim", "tiny-llama", R"({"head_dim": null, "num_attention_heads": 5})",
     "head_dim: found nothing, expected a value"},
    {"NoHeadDimBailing", "tiny-ling", R"({"head_dim": null, "num_attention_heads": 5})",
     "head_dim: found nothing, expected a value"},
    {"OddHeadDim", "tiny-llama", R"({"head_dim": 15})",
     "rotary_dim: found 15, expected an even number"},
    {"WidthHuge", "tiny-llama", R"({"head_dim": 4096, "num_attention_heads": 4096})",
     "head_dim: found 4096, expected num_attention_heads * head_dim of at most"},
    {"EpsilonMissing", "tiny-hybrid", R"({"rms_norm_eps": null})", "rms_norm_eps: found nothing"},
    {"EpsilonZero", "tiny-hybrid", R"({"rms_norm_eps": 0})", "rms_norm_eps: found 0"},
    {"EpsilonText", "tiny-hybrid", R"({"rms_norm_eps": "1e-6"})",
     "rms_norm_eps: found \"1e-6\", expected a number"},
    {"ThetaMissing", "tiny-hybrid", R"({"rope_theta": null})", "rope_theta: found nothing"},
    {"ThetaMissingQwen3", "tiny-qwen3", R"({"rope_theta": null})", "rope_theta: found nothing"},
    {"ThetaNegative", "tiny-llama", R"({"rope_theta": -1})", "rope_theta: found -1"},
    {"ThetaTwice", "tiny-llama",
     R"({"rope_theta": 10000, "rope_parameters": {"rope_theta": 20000}})",
     "rope_parameters.rope_theta: found 20000, expected the value of rope_theta"},
    {"ScalingTwice", "tiny-llama",
     R"({"rope_scaling": {"type": "linear", "factor": 2},
         "rope_parameters": {"rope_type": "linear", "factor": 2}})",
     "rope_parameters: found", kNo},
    {"RotaryMissing", "tiny-ling", R"({"partial_rotary_factor": null})",
     "partial_rotary_factor: found nothing, expected a number from 0 to 1, or rotary_dim"},
    {"RotaryTooWide", "tiny-ling", R"({"rotary_dim": 18})",
     "rotary_dim: found 18, expected an even number of rotated dimensions from 2 to head_dim (16)"},
    {"RotaryOdd", "tiny-ling", R"({"rotary_dim": 7})", "rotary_dim: found 7"},
    {"RotaryNone", "tiny-ling", R"({"partial_rotary_factor": 0.0})", "rotary_dim: found 0"},
    {"RotaryAboveOne", "tiny-ling", R"({"partial_rotary_factor": 1.5})",
     "partial_rotary_factor: found 1.5"},
    {"PartialInLlama", "tiny-llama", R"({"partial_rotary_factor": 0.5})",
     "partial_rotary_factor: found 0.5, unsupported", kNo},
    {"InterleavedRope", "tiny-llama", R"({"rope_interleaved": true})",
     "rope_interleaved: found true, unsupported", kNo},
    {"ScalingDynamic", "tiny-llama", R"({"rope_scaling": {"type": "dynamic", "factor": 2}})",
     "rope_scaling.type: found \"dynamic\", unsupported", kNo},
    {"ScalingLongRope", "tiny-llama", R"({"rope_scaling": {"rope_type": "longrope"}})",
     "rope_scaling.rope_type: found \"longrope\", unsupported", kNo},
    {"ScalingNotAnObject", "tiny-llama", R"({"rope_scaling": 2.0})",
     "rope_scaling: found 2.0, expected an object or null"},
    {"ScalingUnknownKey", "tiny-llama",
     R"({"rope_scaling": {"type": "linear", "factor": 2, "alpha": 1}})",
     "rope_scaling.alpha: found 1"},
    {"ScalingTypesDisagree", "tiny-llama",
     R"({"rope_scaling": {"type": "linear", "rope_type": "yarn", "factor": 2}})",
     "rope_scaling.type: found \"linear\", expected the value of rope_type"},
    {"ScalingFactorWithoutType", "tiny-llama", R"({"rope_scaling": {"factor": 2}})",
     "rope_scaling.factor: found 2, unsupported", kNo},
    {"YarnNoFactor", "tiny-llama", R"({"rope_scaling": {"type": "yarn"}})",
     "rope_scaling.factor: found nothing"},
    {"YarnFactorBelowOne", "tiny-llama", R"({"rope_scaling": {"type": "yarn", "factor": 0.5}})",
     "rope_scaling.factor: found 0.5"},
    {"YarnBetas", "tiny-llama",
     R"({"rope_scaling": {"type": "yarn", "factor": 2, "beta_fast": 1, "beta_slow": 1}})",
     "rope_scaling.beta_fast: found 1, expected more than beta_slow"},
    {"YarnNoOriginal", "tiny-llama",
     R"({"max_position_embeddings": null, "rope_scaling": {"type": "yarn", "factor": 2}})",
     "rope_scaling.original_max_position_embeddings: found nothing"},
    {"YarnMscale", "tiny-llama",
     R"({"rope_scaling": {"type": "yarn", "factor": 2, "mscale": 1.0}})",
     "rope_scaling.mscale: found 1.0, unsupported", kNo},
    {"YarnNoTruncate", "tiny-llama",
     R"({"rope_scaling": {"type": "yarn", "factor": 2, "truncate": false}})",
     "rope_scaling.truncate: found false, unsupported", kNo},
    {"Llama3NoLow", "llama-3.1-8b", R"({"rope_scaling": {"low_freq_factor": null}})",
     "rope_scaling.low_freq_factor: found nothing"},
    {"Llama3Order", "llama-3.1-8b", R"({"rope_scaling": {"low_freq_factor": 4.0}})",
     "rope_scaling.high_freq_factor: found 4, expected more than low_freq_factor"},
    {"Activation", "tiny-hybrid", R"({"hidden_act": "gelu"})",
     "hidden_act: found \"gelu\", unsupported: activation", kNo},
    {"AttentionBias", "tiny-qwen3", R"({"attention_bias": true})",
     "attention_bias: found true, unsupported", kNo},
    {"MlpBias", "tiny-llama", R"({"mlp_bias": true})", "mlp_bias: found true", kNo},
    {"QkvBias", "tiny-hybrid", R"({"use_qkv_bias": true})", "use_qkv_bias: found true", kNo},
    {"Bias", "tiny-hybrid", R"({"use_bias": true})", "use_bias: found true", kNo},
    {"NormHead", "tiny-hybrid", R"({"norm_head": true})", "norm_head: found true", kNo},
    {"LayerNorm", "tiny-hybrid", R"({"use_rmsnorm": false})", "use_rmsnorm: found false", kNo},
    {"LinearSilu", "tiny-hybrid", R"({"linear_silu": true})", "linear_silu: found true", kNo},
    {"LinearWithoutRope", "tiny-hybrid", R"({"linear_rope": false})", "linear_rope: found", kNo},
    {"LinearGqa", "tiny-hybrid", R"({"use_linear_gqa": true})", "use_linear_gqa: found true", kNo},
    {"Dropout", "tiny-hybrid", R"({"attention_dropout": 0.1})", "attention_dropout: found 0.1",
     kNo},
    {"SlidingWindow", "tiny-llama", R"({"sliding_window": 4096})", "sliding_window: found 4096",
     kNo},
    {"UseSlidingWindow", "tiny-qwen3", R"({"use_sliding_window": true})",
     "use_sliding_window: found true", kNo},
    {"SlidingWindowUnstated", "tiny-qwen3",
     R"({"use_sliding_window": null, "sliding_window": 128})", "sliding_window: found 128", kNo},
    {"LayerTypes", "tiny-qwen3",
     R"({"layer_types": ["full_attention", "sliding_attention", "full_attention"]})",
     "layer_types: found", kNo},
    {"LayerTypesTooFew", "tiny-qwen3", R"({"layer_types": ["full_attention"]})",
     "layer_types: found", kNo},
    {"MixersTooFew", "tiny-hybrid", R"({"layer_types": ["full_attention"]})", "layer_types: found"},
    {"MixersUnknown", "tiny-hybrid", R"({"num_hidden_layers": 1, "layer_types": ["mamba"]})",
     "layer_types: found"},
    {"GroupSizeMissing", "tiny-hybrid", R"({"layer_group_size": null})",
     "layer_group_size: found nothing"},
    {"GroupSizeZero", "tiny-hybrid", R"({"layer_group_size": 0})", "layer_group_size: found 0"},
    {"GroupSizeInSoftmaxModel", "tiny-ling", R"({"layer_group_size": 5})",
     "layer_group_size: found 5, unsupported", kNo},
    {"GroupNormMissing", "tiny-hybrid", R"({"group_norm_size": null})",
     "group_norm_size: found nothing"},
    {"GroupNormDoesNotDivide", "tiny-hybrid", R"({"group_norm_size": 3})",
     "group_norm_size: found 3, expected a divisor of num_attention_heads * head_dim (64)"},
    {"RoutedScaleMissing", "tiny-hybrid", R"({"routed_scaling_factor": null})",
     "routed_scaling_factor: found nothing"},
    {"DenseLayersMissing", "tiny-hybrid", R"({"first_k_dense_replace": null})",
     "first_k_dense_replace: found nothing"},
    {"TopKMissing", "tiny-hybrid", R"({"num_experts_per_tok": null})",
     "num_experts_per_tok: found nothing"},
    {"TopKTooLarge", "tiny-hybrid", R"({"num_experts_per_tok": 9})",
     "num_experts_per_tok: found 9, expected from 1 to the 8 experts of 2 groups"},
    {"ExpertWidthMissing", "tiny-hybrid", R"({"moe_intermediate_size": null})",
     "moe_intermediate_size: found nothing"},
    {"GroupsDoNotDivide", "tiny-hybrid", R"({"n_group": 3})",
     "n_group: found 3, expected a divisor of num_experts (16)"},
    {"GroupsOfOne", "tiny-hybrid", R"({"n_group": 16, "topk_group": 16})",
     "n_group: found 16, expected at least two experts"},
    {"TopGroupsTooMany", "tiny-hybrid", R"({"topk_group": 5})",
     "topk_group: found 5, expected from 1 to n_group (4)"},
    {"ExpertsHuge", "tiny-hybrid", R"({"num_experts": 1000000})", "num_experts: found 1000000"},
    {"ParametersHuge", "tiny-hybrid",
     R"({"num_experts": 65536, "hidden_size": 1048576, "moe_intermediate_size": 4194304})",
     "num_hidden_layers: found about"},
    {"SoftmaxScores", "tiny-hybrid", R"({"score_function": "softmax"})",
     "score_function: found \"softmax\", unsupported", kNo},
    {"NoRoutedScaling", "tiny-hybrid", R"({"moe_router_enable_routed_scaling": false})",
     "moe_router_enable_routed_scaling: found false, unsupported", kNo},
    {"RouterDtype", "tiny-hybrid", R"({"router_dtype": "bf16"})", "router_dtype: found", kNo},
    {"TopkMethod", "tiny-hybrid", R"({"topk_method": "greedy"})", "topk_method: found", kNo},
    {"MtpHuge", "tiny-hybrid", R"({"num_nextn_predict_layers": 1000})",
     "num_nextn_predict_layers: found 1000"},
    {"EosOutside", "tiny-llama", R"({"eos_token_id": 512})",
     "eos_token_id: found 512, expected an id below vocab_size (512)"},
    {"EosText", "tiny-llama", R"({"eos_token_id": "</s>"})", "eos_token_id: found \"</s>\""},
    {"EosListOfText", "tiny-llama", R"({"eos_token_id": [1, "2"]})", "eos_token_id: found"},
    {"BosOutside", "tiny-llama", R"({"bos_token_id": 600})", "bos_token_id: found 600"},
    {"TieIsText", "tiny-llama", R"({"tie_word_embeddings": "yes"})",
     "tie_word_embeddings: found \"yes\", expected true or false"},
    {"MlxQuantized", "tiny-hybrid", R"({"quantization": {"bits": 4, "group_size": 64}})",
     "quantization: found", kNo},
    {"OtherQuantization", "tiny-ling", R"({"quantization_config": {"quant_method": "gptq"}})",
     "quantization_config.quant_method: found \"gptq\", unsupported", kNo},
    {"Fp8Blocks", "tiny-ling",
     R"({"quantization_config": {"quant_method": "fp8", "weight_block_size": [64, 64]}})",
     "quantization_config.weight_block_size: found [64,64], unsupported", kNo},
    {"QuantizationUnknownKey", "tiny-ling",
     R"({"quantization_config": {"quant_method": "fp8", "bits": 8}})",
     "quantization_config.bits: found 8"},
    {"EncoderDecoder", "tiny-llama", R"({"is_encoder_decoder": true})", "is_encoder_decoder", kNo},
};

INSTANTIATE_TEST_SUITE_P(All, HfConfigRefuses, testing::ValuesIn(kBadConfigs),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(HfConfig, NotAnObject) {
  const auto config = MapHfConfig(Json::array(), "config.json");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.status().message(), "config.json: found an array, expected an object");
}

}  // namespace
}  // namespace ringlet
