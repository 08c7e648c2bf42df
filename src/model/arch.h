// Architectures: how the configuration and tensors of a published model class map to ModelConfig
// and ModelWeights. One table row and one small file (arch_*.cc) each; nothing else in the program
// knows these names. docs/models.md lists the keys.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "model/binder.h"
#include "model/config.h"
#include "model/config_reader.h"
#include "model/weights.h"

namespace ringlet {

class GgufFile;

// Bindings may correct the configuration by what the file holds: absent MTP layers become 0.
using BindFunction = void (*)(TensorBinder& binder, ModelConfig& config, ModelWeights& weights);

struct HfArchitecture {
  std::string_view name;        // entry of config.json's "architectures"
  std::string_view model_type;  // decides when "architectures" is absent
  void (*map_config)(ConfigReader& reader, ModelConfig& config);
  BindFunction bind;
};

struct GgufArchitecture {
  std::string_view name;  // general.architecture
  void (*map_config)(ConfigReader& reader, ModelConfig& config);
  BindFunction bind;
};

extern const HfArchitecture kBailingMoeLinearV2;
extern const HfArchitecture kBailingMoeV2;
extern const HfArchitecture kLlama;
extern const HfArchitecture kQwen3;
extern const GgufArchitecture kGgufLlama;
extern const GgufArchitecture kGgufQwen3;
extern const GgufArchitecture kGgufBailingMoe2;

// The architecture that a config.json names; errors name `source`.
Result<const HfArchitecture*> FindHfArchitecture(const Json& json, const std::string& source);
Result<const GgufArchitecture*> FindGgufArchitecture(const GgufFile& file);

// Maps and validates a whole configuration.
Result<ModelConfig> MapHfConfig(const Json& json, const std::string& source);
Result<ModelConfig> MapGgufConfig(const GgufFile& file);

// Binds every tensor of `source`; an unused tensor is an error.
Status BindTensors(BindFunction bind, const TensorSource& source, ModelConfig& config,
                   ModelWeights& weights);

}  // namespace ringlet
