// Qwen3ForCausalLM: Llama with normed queries and keys.
#include "model/arch.h"
#include "model/arch_common.h"

namespace ringlet {
namespace {

// Checkpoints list each layer's kind, all equal; another kind would be a window.
void CheckLayerTypes(ConfigReader& reader, const ModelConfig& config) {
  if (!reader.Has("layer_types")) {
    reader.Ignore({"layer_types"});
    return;
  }
  const Json all_full(Json::array_t(config.layers.size(), Json("full_attention")));
  reader.MustBe("layer_types", all_full, "a layer list other than full_attention for every layer");
}

void MapQwen3(ConfigReader& reader, ModelConfig& config) {
  MapHfDense(reader, std::nullopt, config);
  config.qk_norm = true;
  reader.MustBe("use_sliding_window", false, "sliding-window attention");
  reader.Ignore({"max_window_layers"});
  if (reader.Has("use_sliding_window")) {
    reader.Ignore({"sliding_window"});
  } else {
    reader.Refuse({"sliding_window"}, "sliding-window attention");
  }
  CheckLayerTypes(reader, config);
}

}  // namespace

const HfArchitecture kQwen3 = {
    .name = "Qwen3ForCausalLM", .model_type = "qwen3", .map_config = MapQwen3, .bind = BindHfDense};

}  // namespace ringlet
