#include "model/fingerprint.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/hasher.h"
#include "model/positional.h"

namespace ringlet {
namespace {

constexpr size_t kSample = 4096;

class FieldHasher {
 public:
  void Add(std::span<const std::byte> bytes) { hash_.Add(bytes); }
  // Length first, so that neighbouring fields cannot trade characters.
  void Add(std::string_view text) {
    const uint64_t size = text.size();
    AddValue(size);
    Add(std::as_bytes(std::span(text)));
  }
  template <typename T>
  void AddValue(const T& value) {
    Add(std::as_bytes(std::span(&value, 1)));
  }
  uint64_t Digest() const { return hash_.Digest(); }

 private:
  Hasher hash_;
};

void AddConfig(const ModelConfig& config, FieldHasher& hash) {
  const MoeSpec& moe = config.moe;
  hash.Add(fmt::format("{} {} {} {} {} {} {} {} {}", config.vocab, config.hidden, config.heads,
                       config.kv_heads, config.head_dim, config.dense_ffn, config.qk_norm,
                       config.group_norm_groups, config.rope.rotary_dim));
  hash.Add(fmt::format("{} {} {} {} {} {} {} {} {}", moe.experts, moe.top_k, moe.groups,
                       moe.top_groups, moe.expert_ffn, moe.shared_ffn, moe.routed_scale,
                       moe.normalize, static_cast<int>(moe.score)));
  hash.AddValue(config.norm_eps);
  const RopeFrequencies rope = MakeRopeFrequencies(config.rope);
  hash.AddValue(rope.scale);
  for (const double frequency : rope.inv_freq) hash.AddValue(frequency);
  for (size_t l = 0; l < config.layers.size(); ++l) {
    hash.Add(fmt::format("{} {}", static_cast<int>(config.layers[l].mixer),
                         static_cast<int>(config.layers[l].ffn)));
    if (config.layers[l].mixer != MixerKind::kLightning) continue;
    for (const double decay : LogDecays(config, static_cast<int64_t>(l))) hash.AddValue(decay);
  }
}

}  // namespace

uint64_t Fingerprint(const Checkpoint& checkpoint) {
  FieldHasher hash;
  AddConfig(checkpoint.config, hash);
  std::vector<std::string> names = checkpoint.tensors->Names();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const StoredTensor& tensor = *checkpoint.tensors->Find(name);
    hash.Add(name);
    hash.Add(Name(tensor.dtype));
    for (const int64_t size : tensor.shape) hash.AddValue(size);
    const size_t sample = std::min(kSample, tensor.data.size());
    hash.Add(tensor.data.first(sample));
    hash.Add(tensor.data.last(sample));
  }
  return hash.Digest();
}

}  // namespace ringlet
