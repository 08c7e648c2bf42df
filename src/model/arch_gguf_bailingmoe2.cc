// GGUF architecture "bailingmoe2": the all-softmax Ling and Ring 2.0 models. Experts are one
// 3-dimensional tensor per role, and MTP layers are the last blocks of block_count.
#include <fmt/format.h>

#include "model/arch.h"
#include "model/arch_common.h"
#include "model/arch_gguf.h"
#include "model/limits.h"

namespace ringlet {
namespace {

constexpr int64_t kGatingSigmoid = 2;

void MapMoe(ConfigReader& reader, MoeSpec& moe) {
  moe.experts = reader.Integer("expert_count", 1, kMaxExperts);
  moe.top_k = reader.Integer("expert_used_count", 1, kMaxExperts);
  moe.groups = reader.OptionalInteger("expert_group_count", 1, kMaxExperts).value_or(1);
  moe.top_groups = reader.OptionalInteger("expert_group_used_count", 1, kMaxExperts).value_or(1);
  moe.expert_ffn = reader.Integer("expert_feed_forward_length", 1, kMaxFfn);
  moe.shared_experts =
      reader.OptionalInteger("expert_shared_count", 0, kMaxSharedExperts).value_or(0);
  // The width of all shared experts together; older files leave it out.
  const auto shared_ffn = reader.OptionalInteger("expert_shared_feed_forward_length", 0, kMaxFfn);
  moe.shared_ffn =
      moe.shared_experts == 0 ? 0 : shared_ffn.value_or(moe.expert_ffn * moe.shared_experts);
  moe.routed_scale = reader.Number("expert_weights_scale", 1e-6, 1e6);
  moe.normalize = reader.Flag("expert_weights_norm", true) && moe.top_k > 1;
  moe.expert_bias = true;
  reader.MustBe("expert_gating_func", kGatingSigmoid, "router scores other than sigmoid");
}

void MapConfig(ConfigReader& reader, ModelConfig& config) {
  int64_t blocks = 0;
  MapGgufCommon(reader, config, blocks);
  config.qk_norm = true;
  MapMoe(reader, config.moe);
  config.mtp_layers = reader.OptionalInteger("nextn_predict_layers", 0, kMaxMtpLayers).value_or(0);
  if (config.mtp_layers >= blocks) {
    reader.FailAt("nextn_predict_layers", fmt::format("fewer than block_count ({})", blocks));
  }
  const int64_t dense_layers = reader.Integer("leading_dense_block_count", 0, kMaxLayers);
  if (!reader.ok()) return;
  for (int64_t l = 0; l < blocks - config.mtp_layers; ++l) {
    config.layers.push_back(
        {.mixer = MixerKind::kSoftmax, .ffn = l < dense_layers ? FfnKind::kDense : FfnKind::kMoe});
  }
}

MoeWeights BindMoe(TensorBinder& binder, const ModelConfig& config, const std::string& block) {
  const MoeSpec& moe = config.moe;
  MoeWeights out;
  out.router = binder.Matrix(block + "ffn_gate_inp.weight", moe.experts, config.hidden);
  out.expert_bias = binder.Vector(block + "exp_probs_b.bias", moe.experts);
  const auto slice = [&](const char* name, int64_t expert, int64_t rows, int64_t cols) {
    return binder.Slice(block + name, moe.experts, expert, rows, cols);
  };
  for (int64_t e = 0; e < moe.experts && binder.ok(); ++e) {
    out.experts.push_back(
        {.gate_up =
             TensorBinder::Stack({slice("ffn_gate_exps.weight", e, moe.expert_ffn, config.hidden),
                                  slice("ffn_up_exps.weight", e, moe.expert_ffn, config.hidden)}),
         .down = slice("ffn_down_exps.weight", e, config.hidden, moe.expert_ffn)});
  }
  if (moe.shared_ffn > 0) {
    out.shared = BindGgufMlp(binder, block, "_shexp", config.hidden, moe.shared_ffn);
  }
  return out;
}

LayerWeights BindLayer(TensorBinder& binder, const ModelConfig& config, FfnKind ffn,
                       const std::string& block) {
  LayerWeights out;
  out.input_norm = binder.Vector(block + "attn_norm.weight", config.hidden);
  out.post_norm = binder.Vector(block + "ffn_norm.weight", config.hidden);
  out.attention.qkv =
      binder.Matrix(block + "attn_qkv.weight", config.qkv_rows(MixerKind::kSoftmax), config.hidden);
  out.attention.out =
      binder.Matrix(block + "attn_output.weight", config.hidden, config.attention_width());
  out.attention.q_norm = binder.Vector(block + "attn_q_norm.weight", config.head_dim);
  out.attention.k_norm = binder.Vector(block + "attn_k_norm.weight", config.head_dim);
  if (ffn == FfnKind::kDense) {
    out.dense = BindGgufMlp(binder, block, "", config.hidden, config.dense_ffn);
  } else {
    out.moe = BindMoe(binder, config, block);
  }
  return out;
}

void BindMtp(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  const size_t first = config.layers.size();
  const std::string first_block = fmt::format("blk.{}.", first);
  if (binder.Peek(first_block + "nextn.eh_proj.weight") == nullptr &&
      binder.Peek(first_block + "attn_qkv.weight") == nullptr) {
    config.mtp_layers = 0;  // stated, but left out of the file
  }
  for (int64_t m = 0; m < config.mtp_layers && binder.ok(); ++m) {
    const std::string block = fmt::format("blk.{}.", first + static_cast<size_t>(m));
    MtpWeights& out = weights.mtp.emplace_back();
    out.embed_norm = binder.Vector(block + "nextn.enorm.weight", config.hidden);
    out.hidden_norm = binder.Vector(block + "nextn.hnorm.weight", config.hidden);
    out.final_norm = binder.Vector(block + "layer_output_norm.weight", config.hidden);
    out.projection =
        binder.Matrix(block + "nextn.eh_proj.weight", config.hidden, 2 * config.hidden);
    out.layer = BindLayer(binder, config, FfnKind::kMoe, block);
  }
}

void Bind(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  BindGgufEnds(binder, config, weights);
  SettleSharedWidth(binder, "blk.{}.ffn_gate_shexp.weight", config);
  for (size_t l = 0; l < config.layers.size() && binder.ok(); ++l) {
    weights.layers.push_back(
        BindLayer(binder, config, config.layers[l].ffn, fmt::format("blk.{}.", l)));
  }
  BindMtp(binder, config, weights);
}

}  // namespace

const GgufArchitecture kGgufBailingMoe2 = {
    .name = "bailingmoe2", .map_config = MapConfig, .bind = Bind};

}  // namespace ringlet
