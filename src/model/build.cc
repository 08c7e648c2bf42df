#include "model/build.h"

#include <fmt/format.h>

#include "model/positional.h"

namespace ringlet {
namespace {

class Builder {
 public:
  Builder(const ModelConfig& config, KvType kv, WeightSource& source)
      : config_(config), source_(source) {
    model_.softmax_kv = {.type = kv, .kv_heads = config.kv_heads, .head_dim = config.head_dim};
    // Tails are small and fold into an fp32 state: rounding them would be a hybrid model's largest
    // error.
    model_.lightning_kv = {
        .type = KvType::kF32, .kv_heads = config.heads, .head_dim = config.head_dim};
  }

  PackedModel Build() && {
    model_.rope = MakeRopeFrequencies(config_.rope);
    model_.embedding = source_.Rows("embedding", config_.vocab, config_.hidden);
    for (size_t l = 0; l < config_.layers.size() && source_.status().ok(); ++l) {
      model_.blocks.push_back(
          Layer(config_.layers[l], fmt::format("layers.{}.", l), static_cast<int64_t>(l)));
    }
    for (int64_t m = 0; m < config_.mtp_layers && source_.status().ok(); ++m) {
      model_.mtp.push_back(Mtp(fmt::format("mtp.{}.", m), m));
    }
    model_.final_norm = source_.Vector("final_norm", config_.hidden);
    model_.head = Matrix("head", config_.vocab, config_.hidden, MatrixRole::kHead);
    return std::move(model_);
  }

 private:
  PackedMatrix Matrix(const std::string& name, int64_t n, int64_t k,
                      MatrixRole role = MatrixRole::kLinear) {
    PackedMatrix matrix = source_.Matrix({.name = name, .role = role, .n = n, .k = k});
    model_.bytes += matrix.data.size();
    return matrix;
  }

  Mlp PackedMlp(const std::string& prefix, int64_t ffn, MatrixRole role = MatrixRole::kLinear) {
    return {.gate_up = Matrix(prefix + "gate_up", 2 * ffn, config_.hidden, role),
            .down = Matrix(prefix + "down", config_.hidden, ffn, role)};
  }

  Moe PackedMoe(const std::string& prefix) {
    const MoeSpec& spec = config_.moe;
    Moe moe;
    moe.router = Matrix(prefix + "router", spec.experts, config_.hidden, MatrixRole::kRouter);
    if (spec.expert_bias) moe.expert_bias = source_.Vector(prefix + "expert_bias", spec.experts);
    for (int64_t e = 0; e < spec.experts && source_.status().ok(); ++e) {
      moe.experts.push_back(
          PackedMlp(fmt::format("{}experts.{}.", prefix, e), spec.expert_ffn, MatrixRole::kExpert));
    }
    if (spec.shared_ffn > 0) moe.shared = PackedMlp(prefix + "shared.", spec.shared_ffn);
    moe.read_ahead = source_.StreamsExperts();
    moe.top_k = spec.top_k;
    moe.groups = spec.groups;
    moe.top_groups = spec.top_groups;
    moe.softmax_score = spec.score == RouterScore::kSoftmax;
    moe.normalize = spec.normalize;
    moe.routed_scale = static_cast<float>(spec.routed_scale);
    return moe;
  }

  // What both mixers have. `kv` tells the number of heads that have keys.
  template <typename Mixer>
  Mixer Attention(const std::string& prefix, MixerKind kind, const KvLayout& kv, int64_t index) {
    const int64_t width = config_.attention_width();
    Mixer mixer;
    mixer.spec = {.heads = config_.heads,
                  .kv = kv,
                  .rotary_dim = config_.rope.rotary_dim,
                  .eps = static_cast<float>(config_.norm_eps)};
    mixer.layer = index;
    mixer.qkv = Matrix(prefix + "attention.qkv", config_.qkv_rows(kind), config_.hidden);
    mixer.out = Matrix(prefix + "attention.out", config_.hidden, width);
    if (config_.qk_norm) {
      mixer.q_norm = source_.Vector(prefix + "attention.q_norm", config_.head_dim);
      mixer.k_norm = source_.Vector(prefix + "attention.k_norm", config_.head_dim);
    }
    return mixer;
  }

  SoftmaxMixer Softmax(const std::string& prefix, int64_t index) {
    return Attention<SoftmaxMixer>(prefix, MixerKind::kSoftmax, model_.softmax_kv, index);
  }

  LightningMixer Lightning(const std::string& prefix, int64_t layer) {
    const int64_t width = config_.attention_width();
    auto mixer = Attention<LightningMixer>(prefix, MixerKind::kLightning, model_.lightning_kv,
                                           model_.lightning_layers++);
    mixer.groups = config_.group_norm_groups;
    mixer.gate = Matrix(prefix + "attention.gate", width, config_.hidden);
    mixer.group_norm = source_.Vector(prefix + "attention.group_norm", width);
    mixer.decay = MakeDecayTable(LogDecays(config_, layer));
    return mixer;
  }

  // Everything of a block but its mixer.
  Block Rest(FfnKind ffn, const std::string& prefix) {
    Block block;
    block.input_norm = source_.Vector(prefix + "input_norm", config_.hidden);
    block.post_norm = source_.Vector(prefix + "post_norm", config_.hidden);
    block.eps = static_cast<float>(config_.norm_eps);
    if (ffn == FfnKind::kMoe) {
      block.feed_forward = PackedMoe(prefix);
    } else {
      block.feed_forward = PackedMlp(prefix, config_.dense_ffn);
    }
    return block;
  }

  Block Layer(const LayerSpec& spec, const std::string& prefix, int64_t layer) {
    Block block = Rest(spec.ffn, prefix);
    if (spec.mixer == MixerKind::kSoftmax) {
      block.mixer = Softmax(prefix, model_.softmax_layers++);
    } else {
      block.mixer = Lightning(prefix, layer);
    }
    return block;
  }

  PackedMtp Mtp(const std::string& prefix, int64_t m) {
    PackedMtp mtp;
    mtp.embed_norm = source_.Vector(prefix + "embed_norm", config_.hidden);
    mtp.hidden_norm = source_.Vector(prefix + "hidden_norm", config_.hidden);
    mtp.final_norm = source_.Vector(prefix + "final_norm", config_.hidden);
    mtp.projection = Matrix(prefix + "projection", config_.hidden, 2 * config_.hidden);
    mtp.block = Rest(config_.moe.experts > 0 ? FfnKind::kMoe : FfnKind::kDense, prefix);
    mtp.block.mixer = Softmax(prefix, model_.softmax_layers + m);
    return mtp;
  }

  const ModelConfig& config_;
  WeightSource& source_;
  PackedModel model_;
};

}  // namespace

PackedModel BuildPackedModel(const ModelConfig& config, KvType kv, WeightSource& source) {
  return Builder(config, kv, source).Build();
}

}  // namespace ringlet
