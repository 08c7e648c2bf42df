#include "model/fingerprint.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <xxhash.h>

#include "model/positional.h"

namespace ringlet {
namespace {

constexpr size_t kSample = 4096;

class Hasher {
 public:
  Hasher() : state_(XXH3_createState(), XXH3_freeState) { XXH3_64bits_reset(state_.get()); }
  void Add(const void* data, size_t size) { XXH3_64bits_update(state_.get(), data, size); }
  // Length first, so that neighbouring fields cannot trade characters.
  void Add(std::string_view text) {
    const uint64_t size = text.size();
    Add(&size, sizeof(size));
    Add(text.data(), text.size());
  }
  void Add(double value) { Add(&value, sizeof(value)); }
  uint64_t Digest() const { return XXH3_64bits_digest(state_.get()); }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

void AddConfig(const ModelConfig& config, Hasher& hash) {
  const MoeSpec& moe = config.moe;
  hash.Add(fmt::format("{} {} {} {} {} {} {} {} {}", config.vocab, config.hidden, config.heads,
                       config.kv_heads, config.head_dim, config.dense_ffn, config.qk_norm,
                       config.group_norm_groups, config.rope.rotary_dim));
  hash.Add(fmt::format("{} {} {} {} {} {} {} {} {}", moe.experts, moe.top_k, moe.groups,
                       moe.top_groups, moe.expert_ffn, moe.shared_ffn, moe.routed_scale,
                       moe.normalize, static_cast<int>(moe.score)));
  hash.Add(config.norm_eps);
  const RopeFrequencies rope = MakeRopeFrequencies(config.rope);
  hash.Add(rope.scale);
  for (const double frequency : rope.inv_freq) hash.Add(frequency);
  for (size_t l = 0; l < config.layers.size(); ++l) {
    hash.Add(fmt::format("{} {}", static_cast<int>(config.layers[l].mixer),
                         static_cast<int>(config.layers[l].ffn)));
    if (config.layers[l].mixer != MixerKind::kLightning) continue;
    for (const double decay : LogDecays(config, static_cast<int64_t>(l))) hash.Add(decay);
  }
}

}  // namespace

uint64_t Fingerprint(const Checkpoint& checkpoint) {
  Hasher hash;
  AddConfig(checkpoint.config, hash);
  std::vector<std::string> names = checkpoint.tensors->Names();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const StoredTensor& tensor = *checkpoint.tensors->Find(name);
    hash.Add(name);
    hash.Add(Name(tensor.dtype));
    for (const int64_t size : tensor.shape) hash.Add(&size, sizeof(size));
    const size_t sample = std::min(kSample, tensor.data.size());
    hash.Add(tensor.data.data(), sample);
    hash.Add(tensor.data.data() + tensor.data.size() - sample, sample);
  }
  return hash.Digest();
}

}  // namespace ringlet
