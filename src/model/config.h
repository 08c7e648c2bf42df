// ModelConfig: what a checkpoint computes, as data. Every architecture is a mapping to this struct
// (arch_*.cc); nothing outside src/model/ knows architecture names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ringlet {

enum class MixerKind { kSoftmax, kLightning };
enum class FfnKind { kDense, kMoe };

struct LayerSpec {
  MixerKind mixer = MixerKind::kSoftmax;
  FfnKind ffn = FfnKind::kDense;
};

enum class RopeScaling { kNone, kLinear, kYarn, kLlama3 };

// Rotates dimensions [0, rotary_dim) of each head in pairs (i, i + rotary_dim/2).
struct RopeSpec {
  int64_t rotary_dim = 0;
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  double original_max_position = 0;  // yarn, llama3
  double beta_fast = 32.0;           // yarn
  double beta_slow = 1.0;            // yarn
  double attention_factor = 1.0;     // yarn: multiplies cos and sin
  double low_freq_factor = 1.0;      // llama3
  double high_freq_factor = 4.0;     // llama3
  std::vector<float> freq_factors;  // GGUF rope_freqs: divides each inverse frequency; may be empty
};

// f_l of the decay lambda = exp(-slope_h * f_l); facts in docs/numerics.md. l counts all layers.
enum class DecayFactor {
  kA,  // 1 - l/(L-1) + 1e-5
  kB,  // 1 - (l-1)/(L-1) + 1e-5
  kC,  // 1 - max(0, l-1)/max(1, L-1) + 1e-5
};

enum class RouterScore { kSigmoid, kSoftmax };

struct MoeSpec {
  int64_t experts = 0;
  int64_t top_k = 0;
  int64_t groups = 1;          // consecutive experts form a group
  int64_t top_groups = 1;      // groups kept by the sum of their two best biased scores
  int64_t expert_ffn = 0;      // intermediate size of one routed expert
  int64_t shared_ffn = 0;      // intermediate size of all shared experts together; 0: none
  int64_t shared_experts = 0;  // how many they are, for display
  double routed_scale = 1.0;
  bool normalize = true;     // divide by the sum of the selected scores
  bool expert_bias = false;  // selection bias tensor present
  RouterScore score = RouterScore::kSigmoid;
};

struct ModelConfig {
  std::string architecture;  // as the checkpoint names it, for display
  int64_t vocab = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;  // softmax layers; lightning layers have `heads`
  int64_t head_dim = 0;
  int64_t dense_ffn = 0;
  double norm_eps = 1e-6;
  bool qk_norm = false;
  bool tied_embeddings = false;
  int64_t group_norm_groups = 1;  // lightning layers: number of groups of the output norm
  int64_t max_position = 0;
  RopeSpec rope;
  MoeSpec moe;
  DecayFactor decay = DecayFactor::kA;
  std::vector<LayerSpec> layers;
  int64_t mtp_layers = 0;        // extra softmax layers for multi-token prediction
  std::vector<int32_t> eos_ids;  // every id that ends an answer, ascending
  int32_t bos_id = -1;           // -1: none

  int64_t qkv_rows(MixerKind mixer) const {
    return (heads + 2 * (mixer == MixerKind::kLightning ? heads : kv_heads)) * head_dim;
  }
  int64_t attention_width() const { return heads * head_dim; }
};

}  // namespace ringlet
