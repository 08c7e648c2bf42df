#include "model/config_validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/limits.h"

namespace ringlet {

const ConfigKeys kHfKeys = {.vocab = "vocab_size",
                            .hidden = "hidden_size",
                            .heads = "num_attention_heads",
                            .kv_heads = "num_key_value_heads",
                            .head_dim = "head_dim",
                            .dense_ffn = "intermediate_size",
                            .layers = "num_hidden_layers",
                            .norm_eps = "rms_norm_eps",
                            .theta = "rope_theta",
                            .rotary_dim = "rotary_dim",
                            .rope_scaling = "rope_scaling",
                            .freq_factors = "rope_scaling",
                            .group_norm = "group_norm_size",
                            .experts = "num_experts",
                            .top_k = "num_experts_per_tok",
                            .groups = "n_group",
                            .top_groups = "topk_group",
                            .expert_ffn = "moe_intermediate_size",
                            .shared_ffn = "moe_shared_expert_intermediate_size",
                            .routed_scale = "routed_scaling_factor",
                            .eos = "eos_token_id",
                            .bos = "bos_token_id"};

const ConfigKeys kGgufKeys = {.vocab = "vocab_size",
                              .hidden = "embedding_length",
                              .heads = "attention.head_count",
                              .kv_heads = "attention.head_count_kv",
                              .head_dim = "attention.key_length",
                              .dense_ffn = "feed_forward_length",
                              .layers = "block_count",
                              .norm_eps = "attention.layer_norm_rms_epsilon",
                              .theta = "rope.freq_base",
                              .rotary_dim = "rope.dimension_count",
                              .rope_scaling = "rope.scaling",
                              .freq_factors = "rope_freqs.weight",
                              .group_norm = "attention.group_norm_groups",
                              .experts = "expert_count",
                              .top_k = "expert_used_count",
                              .groups = "expert_group_count",
                              .top_groups = "expert_group_used_count",
                              .expert_ffn = "expert_feed_forward_length",
                              .shared_ffn = "expert_shared_feed_forward_length",
                              .routed_scale = "expert_weights_scale",
                              .eos = "tokenizer.ggml.eos_token_id",
                              .bos = "tokenizer.ggml.bos_token_id"};

namespace {

class Checker {
 public:
  Checker(const ModelConfig& config, std::string_view source, const ConfigKeys& keys)
      : c_(config), source_(source), k_(keys) {}

  Status Run() {
    Sizes();
    Heads();
    Rope();
    Lightning();
    Moe();
    Tokens();
    Total();
    return status_;
  }

 private:
  template <typename Found>
  void Require(bool good, std::string_view key, const Found& found, std::string_view expected) {
    if (good || !status_.ok()) return;
    status_ = BadInput(source_, key, fmt::format("{}", found), expected);
  }
  void Range(int64_t value, int64_t max, std::string_view key) {
    Require(value >= 1 && value <= max, key, value, fmt::format("an integer from 1 to {}", max));
  }
  void Positive(double value, double max, std::string_view key) {
    Require(std::isfinite(value) && value > 0 && value <= max, key, value,
            fmt::format("a positive number up to {}", max));
  }

  void Sizes() {
    Range(c_.vocab, kMaxVocab, k_.vocab);
    Range(c_.hidden, kMaxHidden, k_.hidden);
    Range(c_.heads, kMaxHeads, k_.heads);
    Range(c_.kv_heads, kMaxHeads, k_.kv_heads);
    Range(c_.head_dim, kMaxHeadDim, k_.head_dim);
    Range(c_.dense_ffn, kMaxFfn, k_.dense_ffn);
    Range(static_cast<int64_t>(c_.layers.size()), kMaxLayers, k_.layers);
    Positive(c_.norm_eps, 1.0, k_.norm_eps);
    Require(c_.mtp_layers >= 0 && c_.mtp_layers <= kMaxMtpLayers, "num_nextn_predict_layers",
            c_.mtp_layers, fmt::format("an integer from 0 to {}", kMaxMtpLayers));
  }

  void Heads() {
    if (!status_.ok()) return;
    Require(c_.heads % c_.kv_heads == 0, k_.kv_heads, c_.kv_heads,
            fmt::format("a divisor of {} ({})", k_.heads, c_.heads));
    Require(c_.attention_width() <= kMaxAttentionWidth, k_.head_dim, c_.head_dim,
            fmt::format("{} * {} of at most {}", k_.heads, k_.head_dim, kMaxAttentionWidth));
  }

  void Rope() {
    if (!status_.ok()) return;
    const RopeSpec& rope = c_.rope;
    Require(rope.rotary_dim >= 2 && rope.rotary_dim % 2 == 0 && rope.rotary_dim <= c_.head_dim,
            k_.rotary_dim, rope.rotary_dim,
            fmt::format("an even number of rotated dimensions from 2 to {} ({})", k_.head_dim,
                        c_.head_dim));
    Positive(rope.theta, kMaxTheta, k_.theta);
    const std::string scaling(k_.rope_scaling);
    Positive(rope.factor, 1e6, scaling + ".factor");
    if (rope.scaling == RopeScaling::kYarn) {
      Require(rope.beta_fast > rope.beta_slow, scaling + ".beta_fast", rope.beta_fast,
              fmt::format("more than beta_slow ({})", rope.beta_slow));
      Positive(rope.attention_factor, 1e6, scaling + ".attention_factor");
    }
    if (rope.scaling == RopeScaling::kLlama3) {
      Require(rope.high_freq_factor > rope.low_freq_factor, scaling + ".high_freq_factor",
              rope.high_freq_factor,
              fmt::format("more than low_freq_factor ({})", rope.low_freq_factor));
    }
    if (rope.scaling == RopeScaling::kYarn || rope.scaling == RopeScaling::kLlama3) {
      Positive(rope.original_max_position, static_cast<double>(kMaxPosition),
               scaling + ".original_max_position_embeddings");
    }
    if (rope.freq_factors.empty()) return;
    Require(static_cast<int64_t>(rope.freq_factors.size()) == rope.rotary_dim / 2, k_.freq_factors,
            rope.freq_factors.size(), fmt::format("{} values", rope.rotary_dim / 2));
    const auto bad = std::ranges::find_if(rope.freq_factors,
                                          [](float f) { return !std::isfinite(f) || f <= 0; });
    if (bad != rope.freq_factors.end()) {
      Require(false, k_.freq_factors, *bad, "positive finite factors");
    }
  }

  void Lightning() {
    const bool any = std::ranges::any_of(
        c_.layers, [](const LayerSpec& spec) { return spec.mixer == MixerKind::kLightning; });
    if (!any || !status_.ok()) return;
    const int64_t groups = c_.group_norm_groups;
    Require(groups >= 1 && c_.attention_width() % groups == 0, k_.group_norm, groups,
            fmt::format("a divisor of {} * {} ({})", k_.heads, k_.head_dim, c_.attention_width()));
  }

  void Moe() {
    const MoeSpec& moe = c_.moe;
    if (!status_.ok()) return;
    if (moe.experts == 0) {
      const auto dense = [](const LayerSpec& spec) { return spec.ffn == FfnKind::kDense; };
      Require(std::ranges::all_of(c_.layers, dense), k_.experts, 0, "experts for the MoE layers");
      return;
    }
    Range(moe.experts, kMaxExperts, k_.experts);
    Range(moe.groups, kMaxExperts, k_.groups);
    Range(moe.expert_ffn, kMaxFfn, k_.expert_ffn);
    Positive(moe.routed_scale, 1e6, k_.routed_scale);
    Require(moe.shared_ffn >= 0 && moe.shared_ffn <= kMaxFfn, k_.shared_ffn, moe.shared_ffn,
            fmt::format("at most {} in all", kMaxFfn));
    if (!status_.ok()) return;
    Require(moe.experts % moe.groups == 0, k_.groups, moe.groups,
            fmt::format("a divisor of {} ({})", k_.experts, moe.experts));
    Require(moe.top_groups >= 1 && moe.top_groups <= moe.groups, k_.top_groups, moe.top_groups,
            fmt::format("from 1 to {} ({})", k_.groups, moe.groups));
    const int64_t per_group = moe.experts / moe.groups;
    Require(moe.groups == 1 || per_group >= 2, k_.groups, moe.groups,
            "at least two experts in each group, whose two best scores are added");
    Require(moe.top_k >= 1 && moe.top_k <= per_group * moe.top_groups, k_.top_k, moe.top_k,
            fmt::format("from 1 to the {} experts of {} groups", per_group * moe.top_groups,
                        moe.top_groups));
  }

  void Tokens() {
    for (const int32_t id : c_.eos_ids) {
      Require(id >= 0 && id < c_.vocab, k_.eos, id,
              fmt::format("an id below {} ({})", k_.vocab, c_.vocab));
    }
    Require(c_.bos_id >= -1 && c_.bos_id < c_.vocab, k_.bos, c_.bos_id,
            fmt::format("an id below {} ({})", k_.vocab, c_.vocab));
  }

  // In floating point: bounded factors still have products beyond 64 bits.
  void Total() {
    if (!status_.ok()) return;
    const auto hidden = static_cast<double>(c_.hidden);
    const auto layers = static_cast<double>(c_.layers.size()) + static_cast<double>(c_.mtp_layers);
    const double attention = 5.0 * hidden * static_cast<double>(c_.attention_width());
    const double experts =
        static_cast<double>(c_.moe.experts) * static_cast<double>(c_.moe.expert_ffn) +
        static_cast<double>(c_.moe.shared_ffn);
    const double ffn = 3.0 * hidden * (experts + static_cast<double>(c_.dense_ffn));
    const double total = layers * (attention + ffn) + 2.0 * hidden * static_cast<double>(c_.vocab);
    Require(total <= kMaxParameters, k_.layers, fmt::format("about {:.3g} parameters", total),
            fmt::format("at most {:.3g}", kMaxParameters));
  }

  const ModelConfig& c_;
  std::string_view source_;
  const ConfigKeys& k_;
  Status status_;
};

}  // namespace

Status ValidateConfig(const ModelConfig& config, std::string_view source, const ConfigKeys& keys) {
  return Checker(config, source, keys).Run();
}

}  // namespace ringlet
