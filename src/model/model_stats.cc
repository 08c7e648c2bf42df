#include "model/model_stats.h"

namespace ringlet {
namespace {

constexpr int64_t kBf16Bytes = 2;
constexpr int64_t kF32Bytes = 4;

struct Count {
  int64_t total = 0;
  int64_t active = 0;
};

int64_t AttentionParameters(const ModelConfig& c, MixerKind mixer) {
  int64_t count = c.qkv_rows(mixer) * c.hidden + c.hidden * c.attention_width();
  if (c.qk_norm) count += 2 * c.head_dim;
  if (mixer == MixerKind::kLightning) {
    count += c.attention_width() * c.hidden + c.attention_width();  // gate, group norm
  }
  return count;
}

Count FfnParameters(const ModelConfig& c, FfnKind kind) {
  const auto gated_mlp = [&](int64_t ffn) { return 3 * c.hidden * ffn; };
  if (kind == FfnKind::kDense) return {gated_mlp(c.dense_ffn), gated_mlp(c.dense_ffn)};
  const MoeSpec& moe = c.moe;
  const int64_t shared = moe.experts * c.hidden + gated_mlp(moe.shared_ffn);
  return {shared + moe.experts * gated_mlp(moe.expert_ffn),
          shared + moe.top_k * gated_mlp(moe.expert_ffn)};
}

Count LayerParameters(const ModelConfig& c, const LayerSpec& spec) {
  const int64_t attention = 2 * c.hidden + AttentionParameters(c, spec.mixer);
  const Count ffn = FfnParameters(c, spec.ffn);
  return {attention + ffn.total, attention + ffn.active};
}

// Two norms of its inputs, one of its output, and the projection from [embedding, hidden].
int64_t MtpParameters(const ModelConfig& c) {
  const FfnKind ffn = c.moe.experts > 0 ? FfnKind::kMoe : FfnKind::kDense;
  const LayerSpec spec = {.mixer = MixerKind::kSoftmax, .ffn = ffn};
  return c.mtp_layers * (3 * c.hidden + 2 * c.hidden * c.hidden + LayerParameters(c, spec).total);
}

}  // namespace

ModelStats CountParameters(const ModelConfig& c) {
  ModelStats out;
  const int64_t embeddings = c.vocab * c.hidden * (c.tied_embeddings ? 1 : 2);
  out.total = embeddings + c.hidden;
  out.active = out.total;
  for (const LayerSpec& spec : c.layers) {
    const Count layer = LayerParameters(c, spec);
    out.total += layer.total;
    out.active += layer.active;
    if (spec.mixer == MixerKind::kSoftmax) {
      out.kv_bytes_per_token += 2 * c.kv_heads * c.head_dim * kBf16Bytes;
    } else {
      out.state_bytes_per_sequence += c.heads * c.head_dim * c.head_dim * kF32Bytes;
      out.tail_bytes_per_sequence += 2 * kAnchorInterval * c.attention_width() * kF32Bytes;
    }
  }
  out.mtp = MtpParameters(c);
  out.total += out.mtp;
  out.active_without_embeddings = out.active - embeddings;
  return out;
}

}  // namespace ringlet
