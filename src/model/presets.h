// Presets: configurations of published shapes, and tiny ones for tests, by name. A preset is the
// config.json that its checkpoint would hold; it becomes a ModelConfig by the same mapping as a
// file.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "model/config.h"

namespace ringlet {

struct Preset {
  std::string_view name;
  std::string_view summary;  // one line, for listings
  // config.json as up to three JSON merge patches, applied in order to an empty object; several
  // presets share the first.
  std::array<std::string_view, 3> layers;
  std::string_view generation;  // generation_config.json text
};

std::span<const Preset> Presets();
// Errors list the names there are.
Result<const Preset*> FindPreset(std::string_view name);

// Its config.json.
Result<OrderedJson> PresetJson(const Preset& preset);
// With the end tokens of its generation_config.json.
Result<ModelConfig> PresetConfig(const Preset& preset);

}  // namespace ringlet
