// GGUF architecture "qwen3".
#include "model/arch.h"
#include "model/arch_gguf.h"

namespace ringlet {
namespace {

void MapConfig(ConfigReader& reader, ModelConfig& config) {
  int64_t layers = 0;
  MapGgufCommon(reader, config, layers);
  config.qk_norm = true;
  if (config.rope.rotary_dim != config.head_dim) {
    reader.Unsupported("rope.dimension_count", "partial rotation in this architecture");
  }
  if (reader.ok()) config.layers.resize(static_cast<size_t>(layers));
}

void Bind(TensorBinder& binder, ModelConfig& config, ModelWeights& weights) {
  BindGgufDense(binder, config, weights, /*interleaved=*/false);
}

}  // namespace

const GgufArchitecture kGgufQwen3 = {.name = "qwen3", .map_config = MapConfig, .bind = Bind};

}  // namespace ringlet
