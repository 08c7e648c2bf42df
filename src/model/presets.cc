#include "model/presets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "model/arch.h"
#include "model/eos_ids.h"

namespace ringlet {
namespace {

// Ring-mini-linear-2.0 as published.
constexpr std::string_view kRingLinear = R"({
  "architectures": ["BailingMoeLinearV2ForCausalLM"],
  "model_type": "bailing_moe_linear",
  "attention_dropout": 0.0,
  "embedding_dropout": 0.0,
  "eos_token_id": 156892,
  "first_k_dense_replace": 1,
  "group_norm_size": 4,
  "head_dim": 128,
  "hidden_act": "silu",
  "hidden_size": 2048,
  "intermediate_size": 5120,
  "layer_group_size": 5,
  "linear_silu": false,
  "max_position_embeddings": 131072,
  "moe_intermediate_size": 512,
  "moe_router_enable_expert_bias": true,
  "moe_shared_expert_intermediate_size": 512,
  "n_group": 8,
  "norm_topk_prob": true,
  "num_attention_heads": 16,
  "num_experts": 256,
  "num_experts_per_tok": 8,
  "num_hidden_layers": 20,
  "num_key_value_heads": 4,
  "num_nextn_predict_layers": 0,
  "num_shared_experts": 1,
  "output_dropout": 0.0,
  "pad_token_id": 156892,
  "partial_rotary_factor": 0.5,
  "rms_norm_eps": 1e-06,
  "rope_scaling": null,
  "rope_theta": 1000000,
  "routed_scaling_factor": 2.5,
  "router_dtype": "fp32",
  "score_function": "sigmoid",
  "tie_word_embeddings": false,
  "topk_group": 4,
  "torch_dtype": "bfloat16",
  "use_bias": false,
  "use_cache": true,
  "use_qk_norm": true,
  "use_qkv_bias": false,
  "use_rmsnorm": true,
  "vocab_size": 157184
})";

// What makes its all-softmax sibling, Ling-mini-2.0, of it.
constexpr std::string_view kAllSoftmax = R"({
  "architectures": ["BailingMoeV2ForCausalLM"], "model_type": "bailing_moe",
  "group_norm_size": null, "layer_group_size": null, "linear_silu": null,
  "max_position_embeddings": 32768, "rope_theta": 600000
})";

constexpr std::string_view kQwen3 = R"({
  "architectures": ["Qwen3ForCausalLM"],
  "model_type": "qwen3",
  "attention_bias": false,
  "attention_dropout": 0.0,
  "bos_token_id": 151643,
  "eos_token_id": 151645,
  "head_dim": 128,
  "hidden_act": "silu",
  "hidden_size": 4096,
  "intermediate_size": 12288,
  "max_position_embeddings": 40960,
  "num_attention_heads": 32,
  "num_hidden_layers": 36,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-06,
  "rope_scaling": null,
  "rope_theta": 1000000,
  "sliding_window": null,
  "tie_word_embeddings": false,
  "torch_dtype": "bfloat16",
  "use_sliding_window": false,
  "vocab_size": 151936
})";

constexpr std::string_view kLlama3 = R"({
  "architectures": ["LlamaForCausalLM"],
  "model_type": "llama",
  "attention_bias": false,
  "attention_dropout": 0.0,
  "bos_token_id": 128000,
  "eos_token_id": 128001,
  "hidden_act": "silu",
  "hidden_size": 4096,
  "intermediate_size": 14336,
  "max_position_embeddings": 131072,
  "mlp_bias": false,
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 500000.0,
  "tie_word_embeddings": false,
  "torch_dtype": "bfloat16",
  "vocab_size": 128256
})";

constexpr std::string_view kFlashSizes = R"({
  "hidden_size": 4096, "intermediate_size": 9216, "moe_intermediate_size": 1024,
  "moe_shared_expert_intermediate_size": 1024, "num_attention_heads": 32, "num_hidden_layers": 32
})";

// group_norm_size of the flash model is not published; it changes no tensor's shape.
constexpr std::string_view kGroupsOfEight = R"({"layer_group_size": 8})";

constexpr std::string_view kQwen3Large = R"({
  "hidden_size": 5120, "intermediate_size": 25600, "num_attention_heads": 64,
  "num_hidden_layers": 64
})";

constexpr std::string_view kSmolLm2 = R"({
  "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 576, "intermediate_size": 1536,
  "max_position_embeddings": 8192, "num_attention_heads": 9, "num_hidden_layers": 30,
  "num_key_value_heads": 3, "rope_scaling": null, "rope_theta": 100000,
  "tie_word_embeddings": true, "vocab_size": 49152
})";

// Two groups of five layers, 102 million parameters of which 42 million see a token: the size at
// which training is timed (bench/train_twin.py).
constexpr std::string_view kHybrid100M = R"({
  "eos_token_id": 1, "pad_token_id": 0, "head_dim": 64, "hidden_size": 768,
  "intermediate_size": 1536, "max_position_embeddings": 4096, "moe_intermediate_size": 96,
  "moe_shared_expert_intermediate_size": 96, "num_attention_heads": 12, "num_experts": 32,
  "num_experts_per_tok": 2, "num_hidden_layers": 10, "num_key_value_heads": 3,
  "rope_theta": 10000, "tie_word_embeddings": true, "vocab_size": 8192
})";

// As many parameters as a GPT-2 of 6 layers, hidden 512 and GELU of 2,048.
constexpr std::string_view kDense23M = R"({
  "eos_token_id": 1, "pad_token_id": 0, "first_k_dense_replace": 6, "head_dim": 64,
  "hidden_size": 512, "intermediate_size": 1376, "max_position_embeddings": 4096,
  "num_attention_heads": 8, "num_hidden_layers": 6, "num_key_value_heads": 8,
  "rope_theta": 10000, "tie_word_embeddings": true, "vocab_size": 8192
})";

// Two groups of five layers and a remainder of one, one dense layer, four groups of experts.
constexpr std::string_view kTinyHybrid = R"({
  "eos_token_id": 1, "pad_token_id": 0, "head_dim": 16, "hidden_size": 64,
  "intermediate_size": 96, "max_position_embeddings": 4096, "moe_intermediate_size": 32,
  "moe_shared_expert_intermediate_size": 32, "n_group": 4, "num_attention_heads": 4,
  "num_experts": 16, "num_experts_per_tok": 4, "num_hidden_layers": 11, "num_key_value_heads": 2,
  "topk_group": 2, "vocab_size": 512
})";

constexpr std::string_view kTinyLing = R"({
  "architectures": ["BailingMoeV2ForCausalLM"], "model_type": "bailing_moe",
  "group_norm_size": null, "layer_group_size": null, "linear_silu": null,
  "num_hidden_layers": 4, "num_nextn_predict_layers": 1
})";

constexpr std::string_view kTinyDense = R"({
  "bos_token_id": null, "eos_token_id": 1, "head_dim": 16, "hidden_size": 64,
  "intermediate_size": 96, "max_position_embeddings": 4096, "num_attention_heads": 4,
  "num_hidden_layers": 3, "num_key_value_heads": 2, "rope_scaling": null,
  "tie_word_embeddings": true, "vocab_size": 512
})";

constexpr std::string_view kLingTokens =
    R"({"bos_token_id": 156891, "eos_token_id": [156892, 156895], "pad_token_id": 156892})";
constexpr std::string_view kQwenTokens =
    R"({"bos_token_id": 151643, "eos_token_id": [151645, 151643], "pad_token_id": 151643})";
constexpr std::string_view kLlamaTokens =
    R"({"bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009]})";
constexpr std::string_view kSmolLmTokens =
    R"({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2})";
constexpr std::string_view kTinyTokens = R"({"eos_token_id": [1]})";

constexpr std::array kPresets = {
    Preset{"ring-mini-linear",
           "Ring-mini-linear-2.0: 16 lightning and 4 softmax layers, MoE",
           {kRingLinear},
           kLingTokens},
    Preset{"ring-flash-linear",
           "Ring-flash-linear-2.0: 28 lightning and 4 softmax layers, MoE",
           {kRingLinear, kFlashSizes, kGroupsOfEight},
           kLingTokens},
    Preset{"ling-mini",
           "Ling-mini-2.0: 20 softmax layers, MoE",
           {kRingLinear, kAllSoftmax},
           kLingTokens},
    Preset{"ling-flash",
           "Ling-flash-2.0: 32 softmax layers, MoE",
           {kRingLinear, kAllSoftmax, kFlashSizes},
           kLingTokens},
    Preset{"qwen3-8b", "Qwen3-8B: 36 softmax layers, dense", {kQwen3}, kQwenTokens},
    Preset{"qwen3-32b", "Qwen3-32B: 64 softmax layers, dense", {kQwen3, kQwen3Large}, kQwenTokens},
    Preset{"llama-3.1-8b", "Llama-3.1-8B: 32 softmax layers, dense", {kLlama3}, kLlamaTokens},
    Preset{"smollm2-135m",
           "SmolLM2-135M-Instruct: 30 softmax layers, dense",
           {kLlama3, kSmolLm2},
           kSmolLmTokens},
    Preset{"hybrid-100m",
           "102 million parameters: 8 lightning and 2 softmax layers, 32 experts; for training",
           {kRingLinear, kHybrid100M},
           kTinyTokens},
    Preset{"dense-23m",
           "23 million parameters: 6 softmax layers, dense; for training",
           {kRingLinear, kAllSoftmax, kDense23M},
           kTinyTokens},
    Preset{"tiny-hybrid",
           "11 layers in groups of 5 with a remainder, 16 experts; for tests",
           {kRingLinear, kTinyHybrid},
           kTinyTokens},
    Preset{"tiny-ling",
           "4 softmax layers, 16 experts and an MTP layer; for tests",
           {kRingLinear, kTinyHybrid, kTinyLing},
           kTinyTokens},
    Preset{"tiny-qwen3",
           "3 dense layers with normed queries and keys; for tests",
           {kQwen3, kTinyDense},
           kTinyTokens},
    Preset{"tiny-llama", "3 dense layers; for tests", {kLlama3, kTinyDense}, kTinyTokens},
};

}  // namespace

std::span<const Preset> Presets() { return kPresets; }

Result<const Preset*> FindPreset(std::string_view name) {
  const auto found = std::ranges::find(kPresets, name, &Preset::name);
  if (found != kPresets.end()) return &*found;
  std::vector<std::string_view> names;
  for (const Preset& preset : kPresets) names.push_back(preset.name);
  return Status(StatusCode::kNotFound, fmt::format("preset: found \"{}\", expected one of {}",
                                                   name.substr(0, 60), fmt::join(names, ", ")));
}

Result<OrderedJson> PresetJson(const Preset& preset) {
  OrderedJson json = OrderedJson::object();
  for (const std::string_view text : preset.layers) {
    if (text.empty()) continue;
    RINGLET_ASSIGN_OR_RETURN(const OrderedJson changes, ParseOrderedJson(text, preset.name));
    json.merge_patch(changes);
  }
  return json;
}

Result<ModelConfig> PresetConfig(const Preset& preset) {
  const std::string source(preset.name);
  RINGLET_ASSIGN_OR_RETURN(const OrderedJson json, PresetJson(preset));
  RINGLET_ASSIGN_OR_RETURN(ModelConfig config, MapHfConfig(Json(json), source));
  RINGLET_ASSIGN_OR_RETURN(const Json generation, ParseJson(preset.generation, source));
  RINGLET_RETURN_IF_ERROR(AddGenerationTokens(generation, source, config));
  return config;
}

}  // namespace ringlet
