// BailingMoeLinearV2ForCausalLM (Ring-linear 2.0) and BailingMoeV2ForCausalLM (Ling and Ring 2.0).
#include <algorithm>

#include <fmt/format.h>

#include "model/arch.h"
#include "model/arch_common.h"
#include "model/limits.h"

namespace ringlet {
namespace {

void MapRotaryDim(ConfigReader& reader, ModelConfig& config) {
  const auto partial = MapHfRope(reader, std::nullopt, config);
  // Ling-1T states the dimension itself; it wins over the factor.
  const auto rotary_dim = reader.OptionalInteger("rotary_dim", 2, kMaxHeadDim);
  if (!rotary_dim && !partial) {
    reader.FailAt("partial_rotary_factor", "a number from 0 to 1, or rotary_dim");
  }
  config.rope.rotary_dim = rotary_dim.value_or(
      static_cast<int64_t>(static_cast<double>(config.head_dim) * partial.value_or(1.0)));
}

void MapMoe(ConfigReader& reader, ModelConfig& config) {
  MoeSpec& moe = config.moe;
  moe.experts = reader.OptionalInteger("num_experts", 0, kMaxExperts).value_or(0);
  if (moe.experts == 0) {
    reader.Ignore({"num_experts_per_tok", "n_group", "topk_group", "moe_intermediate_size",
                   "num_shared_experts", "moe_shared_expert_intermediate_size",
                   "routed_scaling_factor", "norm_topk_prob", "moe_router_enable_expert_bias",
                   "first_k_dense_replace"});
    return;
  }
  moe.top_k = reader.Integer("num_experts_per_tok", 1, kMaxExperts);
  // The published converter writes 0 for "no groups".
  const auto groups = [&](std::string_view key) {
    return std::max<int64_t>(1, reader.OptionalInteger(key, 0, kMaxExperts).value_or(1));
  };
  moe.groups = groups("n_group");
  moe.top_groups = groups("topk_group");
  moe.expert_ffn = reader.Integer("moe_intermediate_size", 1, kMaxFfn);
  moe.shared_experts =
      reader.OptionalInteger("num_shared_experts", 0, kMaxSharedExperts).value_or(0);
  const auto shared_ffn = reader.OptionalInteger("moe_shared_expert_intermediate_size", 0, kMaxFfn);
  moe.shared_ffn = moe.shared_experts * shared_ffn.value_or(moe.expert_ffn);
  // The class assumes 1.0, which is wrong for every published checkpoint.
  moe.routed_scale = reader.Number("routed_scaling_factor", 1e-6, 1e6);
  // The published gate normalizes only when it selects more than one expert.
  moe.normalize = reader.Flag("norm_topk_prob", true) && moe.top_k > 1;
  moe.expert_bias = reader.Flag("moe_router_enable_expert_bias", true);
  reader.MustBe("moe_router_enable_routed_scaling", true, "a factor that is not applied");
  reader.MustBe("moe_router_enable_shared_expert", true, "shared experts that are not used");
  reader.MustBe("score_function", "sigmoid", "router scores");
  reader.MustBe("scoring_func", "sigmoid", "router scores");
  reader.MustBe("topk_method", "noaux_tc", "expert selection");
  reader.MustBe("router_dtype", "fp32", "router precision");
}

void MapBailing(ConfigReader& reader, ModelConfig& config) {
  reader.Refuse(
      {"kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"},
      "multi-head latent attention (the 2.5 and 2.6 models)");
  reader.MustBe("rope_interleave", false, "interleaved rotary pairs");
  MapHfCommon(reader, config);
  const auto head_dim = reader.OptionalInteger("head_dim", 1, kMaxHeadDim);
  if (!head_dim && config.hidden % config.heads != 0) {
    reader.FailAt("head_dim", "a value, since num_attention_heads does not divide hidden_size");
  }
  config.head_dim = head_dim.value_or(config.hidden / config.heads);
  config.qk_norm = reader.Flag("use_qk_norm", true);
  MapRotaryDim(reader, config);
  MapMoe(reader, config);
  config.mtp_layers =
      reader.OptionalInteger("num_nextn_predict_layers", 0, kMaxMtpLayers).value_or(0);
  reader.MustBe("use_bias", false, "biases");
  reader.MustBe("use_qkv_bias", false, "attention biases");
  reader.MustBe("attention_bias", false, "attention biases");
  reader.MustBe("mlp_bias", false, "MLP biases");
  reader.MustBe("use_rmsnorm", true, "norms other than RMSNorm");
  reader.MustBe("norm_head", false, "a normalized output matrix");
  reader.MustBe("norm_softmax", false, "normalized softmax");
  reader.MustBe("embedding_dropout", 0.0, "dropout");
  reader.MustBe("output_dropout", 0.0, "dropout");
  reader.MustBe("multi_gate", false, "several gates");
  reader.MustBe("using_split_qkv_in_self_attention", false, "split projections");
  reader.MustBe("use_sliding_window", false, "sliding-window attention");
  if (!reader.Has("use_sliding_window")) {
    reader.Refuse({"sliding_window"}, "sliding-window attention");
  }
  reader.Ignore({"max_window_layers", "sliding_window", "mtp_loss_scaling_factor",
                 "image_patch_token", "video_patch_token", "score_function", "router_dtype",
                 "scoring_func", "topk_method", "moe_router_enable_routed_scaling",
                 "moe_router_enable_shared_expert"});
}

FfnKind KindOfFfn(const ModelConfig& config, int64_t layer, int64_t dense_layers) {
  return config.moe.experts == 0 || layer < dense_layers ? FfnKind::kDense : FfnKind::kMoe;
}

// The mixers that `layer_types` lists one by one; empty: it is not there.
std::vector<MixerKind> ListedMixers(ConfigReader& reader, int64_t layers) {
  const Json list = reader.OptionalAny("layer_types");
  std::vector<MixerKind> mixers;
  if (list.is_null()) return mixers;
  for (const Json& type : list) {
    if (type == "linear_attention") mixers.push_back(MixerKind::kLightning);
    if (type == "full_attention") mixers.push_back(MixerKind::kSoftmax);
  }
  if (!list.is_array() || std::ssize(list) != layers || std::ssize(mixers) != layers) {
    reader.FailAt("layer_types",
                  fmt::format("{} times \"linear_attention\" or \"full_attention\"", layers));
  }
  return mixers;
}

// Every `group`-th layer is softmax attention, and so is a remainder that fills no group; unless
// the layers are listed.
void MapLayers(ConfigReader& reader, int64_t group, ModelConfig& config) {
  const int64_t layers = reader.Integer("num_hidden_layers", 1, kMaxLayers);
  const int64_t dense_layers =
      config.moe.experts == 0 ? layers : reader.Integer("first_k_dense_replace", 0, kMaxLayers);
  const std::vector<MixerKind> listed = ListedMixers(reader, layers);
  if (!reader.ok()) return;
  for (int64_t l = 0; l < layers; ++l) {
    const bool softmax = (l + 1) % group == 0 || l >= layers / group * group;
    const MixerKind counted = softmax ? MixerKind::kSoftmax : MixerKind::kLightning;
    config.layers.push_back({.mixer = listed.empty() ? counted : listed[static_cast<size_t>(l)],
                             .ffn = KindOfFfn(config, l, dense_layers)});
  }
}

void MapDecayFactor(ConfigReader& reader, ModelConfig& config) {
  const auto letter = reader.OptionalString("ringlet_decay_factor");
  if (!letter || *letter == "A") return;
  if (*letter == "B") {
    config.decay = DecayFactor::kB;
  } else if (*letter == "C") {
    config.decay = DecayFactor::kC;
  } else {
    reader.FailAt("ringlet_decay_factor", "\"A\", \"B\" or \"C\"");
  }
}

void MapBailingMoeLinearV2(ConfigReader& reader, ModelConfig& config) {
  MapBailing(reader, config);
  MapLayers(reader, reader.Integer("layer_group_size", 1, kMaxLayers), config);
  config.group_norm_groups = reader.Integer("group_norm_size", 1, kMaxAttentionWidth);
  MapDecayFactor(reader, config);
  reader.MustBe("linear_rope", true, "linear layers without RoPE");
  reader.MustBe("linear_silu", false, "activation of linear attention");
  reader.MustBe("use_linear_silu", false, "activation of linear attention");
  reader.MustBe("use_linear_gqa", false, "grouped keys in linear layers");
  reader.MustBe("use_low_rank", false, "low-rank projections");
  // Names of kernels, not of formulas.
  reader.Ignore({"linear_backend", "linear_mode"});
}

void MapBailingMoeV2(ConfigReader& reader, ModelConfig& config) {
  MapBailing(reader, config);
  reader.MustBe("layer_group_size", 1, "linear layers in this architecture");
  reader.Refuse({"layer_types"}, "linear layers in this architecture");
  MapLayers(reader, 1, config);
}

AttentionWeights BindAttention(TensorBinder& binder, const ModelConfig& config, MixerKind mixer,
                               const std::string& prefix) {
  AttentionWeights out;
  const int64_t width = config.attention_width();
  out.qkv = binder.Matrix(prefix + "query_key_value.weight", config.qkv_rows(mixer), config.hidden);
  out.out = binder.Matrix(prefix + "dense.weight", config.hidden, width);
  if (config.qk_norm) {
    out.q_norm = binder.Vector(prefix + "query_layernorm.weight", config.head_dim);
    out.k_norm = binder.Vector(prefix + "key_layernorm.weight", config.head_dim);
  }
  if (mixer == MixerKind::kLightning) {
    out.gate = binder.Matrix(prefix + "g_proj.weight", width, config.hidden);
    out.group_norm = binder.Vector(prefix + "g_norm.weight", width);
  }
  return out;
}

MoeWeights BindMoe(TensorBinder& binder, const ModelConfig& config, const std::string& prefix) {
  const MoeSpec& moe = config.moe;
  MoeWeights out;
  out.router = binder.Matrix(prefix + "gate.weight", moe.experts, config.hidden);
  if (moe.expert_bias) {
    const std::string other = prefix + "gate.e_score_correction_bias";
    out.expert_bias = binder.Vector(
        binder.Peek(other) != nullptr ? other : prefix + "gate.expert_bias", moe.experts);
  }
  for (int64_t e = 0; e < moe.experts && binder.ok(); ++e) {
    out.experts.push_back(
        BindHfMlp(binder, fmt::format("{}experts.{}.", prefix, e), config.hidden, moe.expert_ffn));
  }
  if (moe.shared_ffn > 0) {
    out.shared = BindHfMlp(binder, prefix + "shared_experts.", config.hidden, moe.shared_ffn);
  }
  return out;
}

LayerWeights BindLayer(TensorBinder& binder, const ModelConfig& config, const LayerSpec& spec,
                       const std::string& prefix) {
  LayerWeights out;
  out.input_norm = binder.Vector(prefix + "input_layernorm.weight", config.hidden);
  out.post_norm = binder.Vector(prefix + "post_attention_layernorm.weight", config.hidden);
  out.attention = BindAttention(binder, config, spec.mixer, prefix + "attention.");
  if (spec.ffn == FfnKind::kDense) {
    out.dense = BindHfMlp(binder, prefix + "mlp.", config.hidden, config.dense_ffn);
  } else {
    out.moe = BindMoe(binder, config, prefix + "mlp.");
  }
  return out;
}

// Chat checkpoints may state MTP layers and leave them out; half a layer is an error all the same.
bool HasMtpLayers(const TensorBinder& binder, const ModelConfig& config) {
  if (binder.planning()) return true;
  const std::string prefix = fmt::format("model.layers.{}.", config.layers.size());
  for (const char* name :
       {"eh_proj.weight", "enorm.weight", "hnorm.weight", "final_layernorm.weight",
        "input_layernorm.weight", "attention.query_key_value.weight"}) {
    if (binder.Peek(prefix + name) != nullptr) return true;
  }
  return false;
}

void BindMtp(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  if (!HasMtpLayers(binder, config)) config.mtp_layers = 0;
  const LayerSpec spec = {.mixer = MixerKind::kSoftmax, .ffn = KindOfFfn(config, 0, 0)};
  for (int64_t m = 0; m < config.mtp_layers && binder.ok(); ++m) {
    const std::string prefix =
        fmt::format("model.layers.{}.", static_cast<int64_t>(config.layers.size()) + m);
    MtpWeights& out = weights.mtp.emplace_back();
    out.embed_norm = binder.Vector(prefix + "enorm.weight", config.hidden);
    out.hidden_norm = binder.Vector(prefix + "hnorm.weight", config.hidden);
    out.final_norm = binder.Vector(prefix + "final_layernorm.weight", config.hidden);
    out.projection = binder.Matrix(prefix + "eh_proj.weight", config.hidden, 2 * config.hidden);
    out.layer = BindLayer(binder, config, spec, prefix);
  }
}

void BindBailing(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  SettleSharedWidth(binder, "model.layers.{}.mlp.shared_experts.gate_proj.weight", config);
  weights.embedding = binder.Matrix("model.word_embeddings.weight", config.vocab, config.hidden);
  weights.final_norm = binder.Vector("model.norm.weight", config.hidden);
  weights.head = BindHead(binder, "lm_head.weight", config, weights.embedding);
  for (size_t l = 0; l < config.layers.size() && binder.ok(); ++l) {
    weights.layers.push_back(
        BindLayer(binder, config, config.layers[l], fmt::format("model.layers.{}.", l)));
  }
  BindMtp(binder, config, weights);
}

}  // namespace

const HfArchitecture kBailingMoeLinearV2 = {.name = "BailingMoeLinearV2ForCausalLM",
                                            .model_type = "bailing_moe_linear",
                                            .map_config = MapBailingMoeLinearV2,
                                            .bind = BindBailing};

const HfArchitecture kBailingMoeV2 = {.name = "BailingMoeV2ForCausalLM",
                                      .model_type = "bailing_moe",
                                      .map_config = MapBailingMoeV2,
                                      .bind = BindBailing};

}  // namespace ringlet
