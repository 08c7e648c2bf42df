#include <fmt/format.h>

#include "model/arch_common.h"
#include "model/arch_gguf.h"
#include "model/limits.h"

namespace ringlet {
namespace {

void MapYarn(ConfigReader& reader, RopeSpec& rope, int64_t max_position) {
  rope.beta_fast = reader.OptionalNumber("rope.scaling.yarn_beta_fast", 1e-3, 1e6).value_or(32.0);
  rope.beta_slow = reader.OptionalNumber("rope.scaling.yarn_beta_slow", 1e-3, 1e6).value_or(1.0);
  rope.original_max_position =
      reader.OptionalNumber("rope.scaling.original_context_length", 1, kMaxPosition)
          .value_or(static_cast<double>(max_position));
  // Stored factors multiply the one that follows from the scale.
  rope.attention_factor =
      YarnAttentionFactor(rope.factor) *
      reader.OptionalNumber("rope.scaling.attn_factor", 1e-6, 1e6).value_or(1.0) *
      reader.OptionalNumber("rope.scaling.yarn_attn_factor", 1e-6, 1e6).value_or(1.0);
  reader.MustBe("rope.scaling.yarn_ext_factor", 1.0, "partial YaRN extrapolation");
  reader.MustBe("rope.scaling.yarn_log_multiplier", 0.0,
                "attention factors of multi-head latent attention");
}

void MapScaling(ConfigReader& reader, RopeSpec& rope, int64_t max_position) {
  const auto type = reader.OptionalString("rope.scaling.type");
  auto factor = reader.OptionalNumber("rope.scaling.factor", 0.0, 1e6);
  const auto old_factor = reader.OptionalNumber("rope.scale_linear", 0.0, 1e6);
  if (!factor) factor = old_factor;
  // Converters write 0 for "not scaled".
  rope.factor = factor.value_or(0.0) == 0.0 ? 1.0 : *factor;
  const std::string kind = type.value_or(rope.factor == 1.0 ? "none" : "linear");
  reader.Ignore({"rope.scaling.finetuned"});
  if (kind == "yarn") {
    rope.scaling = RopeScaling::kYarn;
    MapYarn(reader, rope, max_position);
    return;
  }
  reader.Ignore({"rope.scaling.original_context_length"});
  reader.MustBe("rope.scaling.attn_factor", 1.0, "attention factors without YaRN");
  if (kind == "linear") {
    rope.scaling = rope.factor == 1.0 ? RopeScaling::kNone : RopeScaling::kLinear;
  } else if (kind == "none") {
    rope.factor = 1.0;
  } else {
    reader.Unsupported("rope.scaling.type", "RoPE scaling other than none, linear and yarn");
  }
}

}  // namespace

void MapGgufCommon(ConfigReader& reader, ModelConfig& config, int64_t& layers) {
  config.vocab = reader.OptionalInteger("vocab_size", 1, kMaxVocab).value_or(0);
  config.hidden = reader.Integer("embedding_length", 1, kMaxHidden);
  config.heads = reader.Integer("attention.head_count", 1, kMaxHeads);
  config.kv_heads =
      reader.OptionalInteger("attention.head_count_kv", 1, kMaxHeads).value_or(config.heads);
  config.dense_ffn = reader.Integer("feed_forward_length", 1, kMaxFfn);
  config.norm_eps = reader.Number("attention.layer_norm_rms_epsilon", 1e-30, 1.0);
  config.max_position = reader.OptionalInteger("context_length", 1, kMaxPosition).value_or(0);
  layers = reader.Integer("block_count", 1, kMaxLayers);
  const auto key_length = reader.OptionalInteger("attention.key_length", 1, kMaxHeadDim);
  if (!key_length && config.hidden % config.heads != 0) {
    reader.FailAt("attention.key_length",
                  "a value, since head_count does not divide embedding_length");
  }
  config.head_dim = key_length.value_or(config.hidden / config.heads);
  reader.MustBe("attention.value_length", config.head_dim, "values of another width than keys");
  reader.MustBe("attention.causal", true, "bidirectional attention");
  reader.MustBe("attention.sliding_window", 0, "sliding-window attention");
  config.rope.theta = reader.OptionalNumber("rope.freq_base", 1.0, kMaxTheta).value_or(10000.0);
  config.rope.rotary_dim =
      reader.OptionalInteger("rope.dimension_count", 2, kMaxHeadDim).value_or(config.head_dim);
  MapScaling(reader, config.rope, config.max_position);
  reader.Ignore({"tensor_data_layout", "embedding_length_out", "pooling_type"});
}

void BindGgufEnds(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  weights.embedding = binder.Matrix("token_embd.weight", config.vocab, config.hidden);
  weights.final_norm = binder.Vector("output_norm.weight", config.hidden);
  weights.head = BindHead(binder, "output.weight", config, weights.embedding);
  binder.Accept("rope_freqs.weight");  // part of the configuration: RopeSpec::freq_factors
}

MlpWeights BindGgufMlp(TensorBinder& binder, const std::string& block, const std::string& suffix,
                       int64_t hidden, int64_t ffn) {
  const auto name = [&](const char* role) {
    return fmt::format("{}ffn_{}{}.weight", block, role, suffix);
  };
  return {.gate_up = TensorBinder::Stack(
              {binder.Matrix(name("gate"), ffn, hidden), binder.Matrix(name("up"), ffn, hidden)}),
          .down = binder.Matrix(name("down"), hidden, ffn)};
}

void BindGgufDense(TensorBinder& binder, ModelConfig& config, ModelWeights& weights,
                   bool interleaved) {
  BindGgufEnds(binder, config, weights);
  const int64_t kv_width = config.kv_heads * config.head_dim;
  const int64_t interleaved_dim = interleaved ? config.head_dim : 0;
  for (size_t l = 0; l < config.layers.size() && binder.ok(); ++l) {
    const std::string block = fmt::format("blk.{}.", l);
    LayerWeights& out = weights.layers.emplace_back();
    out.input_norm = binder.Vector(block + "attn_norm.weight", config.hidden);
    out.post_norm = binder.Vector(block + "ffn_norm.weight", config.hidden);
    out.attention.qkv = TensorBinder::Stack(
        {binder.InterleavedMatrix(block + "attn_q.weight", config.attention_width(), config.hidden,
                                  interleaved_dim),
         binder.InterleavedMatrix(block + "attn_k.weight", kv_width, config.hidden,
                                  interleaved_dim),
         binder.Matrix(block + "attn_v.weight", kv_width, config.hidden)});
    out.attention.out =
        binder.Matrix(block + "attn_output.weight", config.hidden, config.attention_width());
    if (config.qk_norm) {
      out.attention.q_norm = binder.Vector(block + "attn_q_norm.weight", config.head_dim);
      out.attention.k_norm = binder.Vector(block + "attn_k_norm.weight", config.head_dim);
    }
    out.dense = BindGgufMlp(binder, block, "", config.hidden, config.dense_ffn);
  }
}

}  // namespace ringlet
