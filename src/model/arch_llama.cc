// LlamaForCausalLM, and what Qwen3ForCausalLM shares with it.
#include <fmt/format.h>

#include "model/arch.h"
#include "model/arch_common.h"
#include "model/limits.h"

namespace ringlet {

void MapHfDense(ConfigReader& reader, std::optional<double> default_theta, ModelConfig& config) {
  MapHfCommon(reader, config);
  const auto head_dim = reader.OptionalInteger("head_dim", 1, kMaxHeadDim);
  if (!head_dim && config.hidden % config.heads != 0) {
    reader.FailAt("head_dim", "a value, since num_attention_heads does not divide hidden_size");
  }
  config.head_dim = head_dim.value_or(config.hidden / config.heads);
  const auto partial = MapHfRope(reader, default_theta, config);
  if (partial.value_or(1.0) != 1.0) {
    reader.Unsupported("partial_rotary_factor", "partial rotation in this architecture");
  }
  config.rope.rotary_dim = config.head_dim;
  const int64_t layers = reader.Integer("num_hidden_layers", 1, kMaxLayers);
  reader.MustBe("attention_bias", false, "attention biases");
  if (reader.ok()) config.layers.resize(static_cast<size_t>(layers));
}

void BindHfDense(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  const int64_t hidden = config.hidden;
  const int64_t kv_width = config.kv_heads * config.head_dim;
  weights.embedding = binder.Matrix("model.embed_tokens.weight", config.vocab, hidden);
  weights.final_norm = binder.Vector("model.norm.weight", hidden);
  weights.head = BindHead(binder, "lm_head.weight", config, weights.embedding);
  for (size_t l = 0; l < config.layers.size() && binder.ok(); ++l) {
    const std::string layer = fmt::format("model.layers.{}.", l);
    LayerWeights& out = weights.layers.emplace_back();
    out.input_norm = binder.Vector(layer + "input_layernorm.weight", hidden);
    out.post_norm = binder.Vector(layer + "post_attention_layernorm.weight", hidden);
    const std::string attention = layer + "self_attn.";
    out.attention.qkv = TensorBinder::Stack(
        {binder.Matrix(attention + "q_proj.weight", config.attention_width(), hidden),
         binder.Matrix(attention + "k_proj.weight", kv_width, hidden),
         binder.Matrix(attention + "v_proj.weight", kv_width, hidden)});
    out.attention.out =
        binder.Matrix(attention + "o_proj.weight", hidden, config.attention_width());
    if (config.qk_norm) {
      out.attention.q_norm = binder.Vector(attention + "q_norm.weight", config.head_dim);
      out.attention.k_norm = binder.Vector(attention + "k_norm.weight", config.head_dim);
    }
    out.dense = BindHfMlp(binder, layer + "mlp.", hidden, config.dense_ffn);
  }
}

namespace {

void MapLlama(ConfigReader& reader, ModelConfig& config) {
  // 10000 is what the class assumes; checkpoints of Llama 1 and 2 leave it out.
  MapHfDense(reader, 10000.0, config);
  reader.MustBe("mlp_bias", false, "MLP biases");
  reader.MustBe("rope_interleaved", false, "interleaved rotary pairs");
  reader.Refuse({"sliding_window"}, "sliding-window attention");
}

}  // namespace

const HfArchitecture kLlama = {
    .name = "LlamaForCausalLM", .model_type = "llama", .map_config = MapLlama, .bind = BindHfDense};

}  // namespace ringlet
