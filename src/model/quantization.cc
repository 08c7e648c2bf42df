#include "model/quantization.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "model/config_reader.h"

namespace ringlet {
namespace {

constexpr std::string_view kPatternMark = "re:";
constexpr int64_t kGroupSizes[] = {16, 32, 64, 128};

// Keys that describe how the codes were found, not what they mean.
void ReadWeightHistory(ConfigReader& reader) {
  reader.Ignore({"observer", "observer_kwargs", "scale_dtype"});
  reader.MustBe("type", "int", "weights of another type than integers");
  reader.MustBe("dynamic", false, "weights quantized while loading");
  reader.Refuse({"block_structure"}, "blocks of rows and columns");
  reader.Refuse({"zp_dtype"}, "zero points that are not packed");
  const Json actorder = reader.OptionalAny("actorder");
  if (actorder.is_null() || actorder == false || actorder == "weight" || actorder == "static") {
    return;
  }
  reader.Unsupported("actorder", "groups of columns in another order than stored");
}

PackedScheme ReadScheme(ConfigReader& reader) {
  PackedScheme scheme;
  ReadWeightHistory(reader);
  scheme.bits = static_cast<int>(reader.Integer("num_bits", 1, 16));
  if (scheme.bits != 4 && scheme.bits != 8) reader.Unsupported("num_bits", "only 4 and 8");
  scheme.symmetric = reader.Flag("symmetric", true);
  const auto group = reader.OptionalInteger("group_size", -1, int64_t{1} << 20).value_or(-1);
  const std::string strategy =
      reader.OptionalString("strategy").value_or(group > 0 ? "group" : "channel");
  if (strategy == "channel") {
    if (group > 0) reader.FailAt("group_size", "null or -1 for strategy \"channel\"");
    return scheme;
  }
  if (strategy != "group") {
    reader.Unsupported("strategy", "only \"group\" and \"channel\"");
  } else if (std::ranges::find(kGroupSizes, group) == std::end(kGroupSizes)) {
    reader.FailAt("group_size", "16, 32, 64 or 128");
  }
  scheme.group = group;
  return scheme;
}

}  // namespace

Result<std::vector<PackQuantized::Target>> PackQuantized::ParseTargets(const Json& list,
                                                                       const std::string& source,
                                                                       const std::string& field) {
  if (!list.is_array()) return BadInput(source, field, JsonBrief(list), "a list of names");
  std::vector<Target> targets;
  for (const Json& item : list) {
    if (!item.is_string()) return BadInput(source, field, JsonBrief(item), "a name");
    Target target{.name = item.get<std::string>(), .pattern = nullptr};
    if (target.name.starts_with(kPatternMark)) {
      RINGLET_ASSIGN_OR_RETURN(
          Regex regex, Regex::Compile(target.name.substr(kPatternMark.size()), source, field));
      target.pattern = std::make_shared<const Regex>(std::move(regex));
    }
    targets.push_back(std::move(target));
  }
  return targets;
}

Result<PackQuantized::Group> PackQuantized::ParseGroup(const Json& object,
                                                       const std::string& source,
                                                       const std::string& prefix) {
  Group group;
  ConfigReader reader(object, source, prefix);
  reader.Refuse({"input_activations", "output_activations"}, "quantized activations");
  reader.MustBe("format", "pack-quantized", "format of a group of layers");
  const Json* weights = reader.OptionalObject("weights");
  const Json targets = reader.OptionalAny("targets");
  RINGLET_RETURN_IF_ERROR(reader.Finish());
  if (weights == nullptr) return BadInput(source, prefix + "weights", "nothing", "an object");
  ConfigReader nested(*weights, source, prefix + "weights.");
  group.scheme = ReadScheme(nested);
  RINGLET_RETURN_IF_ERROR(nested.Finish());
  RINGLET_ASSIGN_OR_RETURN(group.targets, ParseTargets(targets, source, prefix + "targets"));
  const auto linear = [](const Target& target) { return target.name == "Linear"; };
  group.every_linear = std::erase_if(group.targets, linear) > 0;
  return group;
}

Result<PackQuantized> PackQuantized::Parse(const Json& object, const std::string& source) {
  const std::string prefix = "quantization_config.";
  ConfigReader reader(object, source, prefix);
  reader.MustBe("quant_method", "compressed-tensors", "quantization method");
  if (reader.String("format") != "pack-quantized") {
    reader.Unsupported("format", "only pack-quantized is implemented");
  }
  reader.Ignore({"quantization_status", "global_compression_ratio", "version"});
  reader.Refuse({"kv_cache_scheme"}, "scales of a KV cache stored in the checkpoint");
  reader.MustBe("sparsity_config", Json::object(), "sparse weights");
  reader.Refuse({"moe_sparsity_config"}, "sparse weights");  // what 0.20 writes, as null
  reader.MustBe("transform_config", Json::object(), "transformed weights");
  const Json ignored = reader.OptionalAny("ignore");
  const Json* groups = reader.OptionalObject("config_groups");
  RINGLET_RETURN_IF_ERROR(reader.Finish());
  PackQuantized out;
  if (!ignored.is_null()) {
    RINGLET_ASSIGN_OR_RETURN(out.ignored_, ParseTargets(ignored, source, prefix + "ignore"));
  }
  if (groups == nullptr || groups->empty()) {
    return BadInput(source, prefix + "config_groups", "nothing", "an object of groups");
  }
  for (const auto& [name, value] : groups->items()) {
    const std::string field = prefix + "config_groups." + name;
    if (!value.is_object()) return BadInput(source, field, JsonTypeName(value), "an object");
    RINGLET_ASSIGN_OR_RETURN(Group group, ParseGroup(value, source, field + "."));
    out.groups_.push_back(std::move(group));
  }
  return out;
}

Result<bool> PackQuantized::Matches(const std::vector<Target>& targets, const std::string& module) {
  for (const Target& target : targets) {
    if (target.name == module) return true;
    if (target.pattern == nullptr) continue;
    RegexScratch scratch(module.size());
    RINGLET_ASSIGN_OR_RETURN(const auto match, target.pattern->Find(module, 0, scratch));
    if (match && match->begin == 0) return true;
  }
  return false;
}

Result<const PackedScheme*> PackQuantized::SchemeOf(const std::string& module) const {
  const PackedScheme* none = nullptr;
  RINGLET_ASSIGN_OR_RETURN(const bool ignored, Matches(ignored_, module));
  if (ignored) return none;
  // A group that names the module goes before one that names its class.
  for (const Group& group : groups_) {
    RINGLET_ASSIGN_OR_RETURN(const bool named, Matches(group.targets, module));
    if (named) return &group.scheme;
  }
  for (const Group& group : groups_) {
    if (group.every_linear) return &group.scheme;
  }
  return none;
}

}  // namespace ringlet
