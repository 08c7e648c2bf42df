#include "model/arch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "io/gguf.h"
#include "model/config_validate.h"
#include "model/eos_ids.h"

namespace ringlet {
namespace {

constexpr std::array kHfArchitectures = {&kBailingMoeLinearV2, &kBailingMoeV2, &kLlama, &kQwen3};
constexpr std::array kGgufArchitectures = {&kGgufLlama, &kGgufQwen3, &kGgufBailingMoe2};

template <typename Table>
std::string NamesOf(const Table& table) {
  std::vector<std::string_view> names;
  for (const auto* row : table) names.push_back(row->name);
  return fmt::format("one of {}", fmt::join(names, ", "));
}

// Metadata under "<architecture>." as a JSON object without that prefix, so that both kinds of file
// are read by the same code. No mapping reads arrays; their first elements are kept for messages.
class MetadataToJson {
 public:
  Json operator()(int64_t value) const { return value; }
  Json operator()(double value) const { return value; }
  Json operator()(bool value) const { return value; }
  Json operator()(const std::string& value) const { return value; }
  template <typename Element>
  Json operator()(const std::vector<Element>& values) const {
    Json out = Json::array();
    for (size_t i = 0; i < values.size() && i < 16; ++i) out.push_back(Element(values[i]));
    return out;
  }
};

Json ArchitectureMetadata(const GgufFile& file, const std::string& prefix) {
  Json out = Json::object();
  for (const auto& [key, value] : file.metadata()) {
    if (!key.starts_with(prefix)) continue;
    out[key.substr(prefix.size())] = std::visit(MetadataToJson(), value.value);
  }
  return out;
}

// Llama 3 frequencies are a tensor in GGUF; the converter writes it whatever the architecture.
Status ReadFreqFactors(const GgufFile& file, ModelConfig& config) {
  const StoredTensor* tensor = file.Find("rope_freqs.weight");
  if (tensor == nullptr) return Status::Ok();
  const std::vector<int64_t> expected = {config.rope.rotary_dim / 2};
  if (tensor->dtype != DType::kF32 || tensor->shape != expected) {
    return BadInput(
        file.path(), tensor->name,
        fmt::format("{} of shape [{}]", Name(tensor->dtype), fmt::join(tensor->shape, ", ")),
        fmt::format("F32 of shape [{}]", expected[0]));
  }
  config.rope.freq_factors.resize(static_cast<size_t>(expected[0]));
  DecodeRow(*tensor, 0, config.rope.freq_factors.data());
  return Status::Ok();
}

}  // namespace

Result<const HfArchitecture*> FindHfArchitecture(const Json& json, const std::string& source) {
  if (!json.is_object()) return BadInput(source, "", JsonTypeName(json), "an object");
  const bool named = json.contains("architectures") && !json["architectures"].is_null();
  const std::string key = named ? "architectures" : "model_type";
  const Json* name = json.contains(key) ? &json[key] : nullptr;
  if (named) {
    if (!name->is_array() || name->size() != 1) {
      return BadInput(source, key, JsonBrief(*name), "a list of one architecture");
    }
    name = &name->front();
  }
  for (const HfArchitecture* architecture : kHfArchitectures) {
    const auto wanted = named ? architecture->name : architecture->model_type;
    if (name != nullptr && *name == wanted) return architecture;
  }
  return Status(
      StatusCode::kUnsupported,
      fmt::format("{}: {}: found {}, expected {}", source, key,
                  name == nullptr ? "nothing" : JsonBrief(*name), NamesOf(kHfArchitectures)));
}

Result<const GgufArchitecture*> FindGgufArchitecture(const GgufFile& file) {
  RINGLET_ASSIGN_OR_RETURN(const std::string name, file.String("general.architecture"));
  for (const GgufArchitecture* architecture : kGgufArchitectures) {
    if (architecture->name == name) return architecture;
  }
  return Status(StatusCode::kUnsupported,
                fmt::format("{}: general.architecture: found \"{}\", expected {}", file.path(),
                            name.substr(0, 60), NamesOf(kGgufArchitectures)));
}

Result<ModelConfig> MapHfConfig(const Json& json, const std::string& source) {
  RINGLET_ASSIGN_OR_RETURN(const HfArchitecture* architecture, FindHfArchitecture(json, source));
  ConfigReader reader(json, source);
  ModelConfig config;
  config.architecture = architecture->name;
  architecture->map_config(reader, config);
  RINGLET_RETURN_IF_ERROR(reader.Finish());
  std::ranges::sort(config.eos_ids);
  RINGLET_RETURN_IF_ERROR(ValidateConfig(config, source, kHfKeys));
  return config;
}

Result<ModelConfig> MapGgufConfig(const GgufFile& file) {
  RINGLET_ASSIGN_OR_RETURN(const GgufArchitecture* architecture, FindGgufArchitecture(file));
  const std::string prefix = std::string(architecture->name) + ".";
  const Json json = ArchitectureMetadata(file, prefix);
  ConfigReader reader(json, file.path(), prefix);
  ModelConfig config;
  config.architecture = architecture->name;
  architecture->map_config(reader, config);
  RINGLET_RETURN_IF_ERROR(reader.Finish());
  const StoredTensor* embedding = file.Find("token_embd.weight");
  if (config.vocab == 0 && embedding != nullptr) config.vocab = embedding->rows();
  config.tied_embeddings = file.Find("output.weight") == nullptr;
  RINGLET_RETURN_IF_ERROR(ReadFreqFactors(file, config));
  RINGLET_RETURN_IF_ERROR(AddGgufEosIds(file, config));
  RINGLET_RETURN_IF_ERROR(ValidateConfig(config, file.path(), kGgufKeys));
  return config;
}

Status BindTensors(BindFunction bind, const TensorSource& source, ModelConfig& config,
                   ModelWeights& weights) {
  TensorBinder binder(source);
  bind(binder, config, weights);
  // Buffers that some exporters write and no forward pass reads.
  return binder.Finish({"slope", "rotary_emb.inv_freq", "v_head"});
}

}  // namespace ringlet
