// GGUF architecture "llama". The converter interleaves the rows of q and k so that rotary pairs are
// neighbours; binding undoes it, so that the rest of the program rotates halves, as everywhere.
#include "model/arch.h"
#include "model/arch_gguf.h"

namespace ringlet {
namespace {

void MapConfig(ConfigReader& reader, ModelConfig& config) {
  int64_t layers = 0;
  MapGgufCommon(reader, config, layers);
  reader.MustBe("expert_count", 0, "mixture of experts in this architecture");
  reader.MustBe("expert_used_count", 0, "mixture of experts in this architecture");
  if (config.rope.rotary_dim != config.head_dim) {
    reader.Unsupported("rope.dimension_count", "partial rotation in this architecture");
  }
  if (config.head_dim % 2 != 0) reader.FailAt("attention.key_length", "an even number");
  if (reader.ok()) config.layers.resize(static_cast<size_t>(layers));
}

void Bind(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  BindGgufDense(binder, config, weights, /*interleaved=*/true);
}

}  // namespace

const GgufArchitecture kGgufLlama = {.name = "llama", .map_config = MapConfig, .bind = Bind};

}  // namespace ringlet
