#include "train/config/run_model.h"

#include "base/file.h"
#include "model/arch.h"
#include "model/presets.h"

namespace ringlet {
namespace {

constexpr uint64_t kMaxConfig = uint64_t{1} << 24;

OrderedJson ToJson(const TomlValue& value) {
  switch (value.kind) {
    case TomlValue::Kind::kBoolean:
      return value.boolean;
    case TomlValue::Kind::kInteger:
      return value.integer;
    case TomlValue::Kind::kNumber:
      return value.number;
    case TomlValue::Kind::kArray: {
      OrderedJson json = OrderedJson::array();
      for (const TomlValue& item : value.items) json.push_back(ToJson(item));
      return json;
    }
    case TomlValue::Kind::kTable: {
      OrderedJson json = OrderedJson::object();
      for (const TomlMember& member : value.members) json[member.key] = ToJson(member.value);
      return json;
    }
    default:
      return value.text;
  }
}

Result<OrderedJson> BaseJson(const RunConfig& config) {
  if (!config.model.preset.empty()) {
    RINGLET_ASSIGN_OR_RETURN(const Preset* preset, FindPreset(config.model.preset));
    return PresetJson(*preset);
  }
  std::string path = ConfigPath(config, config.model.config);
  if (config.model.config.empty()) {
    if (config.model.weights.empty()) return OrderedJson::object();
    path = ConfigPath(config, config.model.weights) + "/config.json";
  }
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfig));
  return ParseOrderedJson(text, path);
}

}  // namespace

Result<RunModel> ResolveRunModel(const RunConfig& config) {
  RunModel model;
  RINGLET_ASSIGN_OR_RETURN(model.json, BaseJson(config));
  model.json.merge_patch(ToJson(config.model.set));
  RINGLET_ASSIGN_OR_RETURN(model.config, MapHfConfig(Json(model.json), "[model]"));
  return model;
}

}  // namespace ringlet
