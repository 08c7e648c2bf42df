#include "engine/generation_config.h"

#include <array>
#include <utility>

#include "base/file.h"
#include "base/json.h"

namespace ringlet {
namespace {

// Names of generation_config.json against ours.
constexpr std::array<std::pair<const char*, const char*>, 5> kGenerationKeys = {{
    {"temperature", "temperature"},
    {"top_k", "top_k"},
    {"top_p", "top_p"},
    {"min_p", "min_p"},
    {"repetition_penalty", "repeat_penalty"},
}};

}  // namespace

Status ApplyGenerationConfig(const std::string& model_path, SamplerOptions& options) {
  const std::string path = model_path + "/generation_config.json";
  if (!IsDirectory(model_path) || !FileExists(path)) return Status::Ok();
  RINGLET_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(path));
  if (!json.is_object()) return BadInput(path, "", JsonTypeName(json), "an object");
  for (const auto& [key, name] : kGenerationKeys) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    if (!found->is_number()) return BadInput(path, key, JsonTypeName(*found), "a number");
    double value = found->get<double>();
    // Published files also write "off" as -1 (vLLM's convention).
    if (std::string_view(name) == "top_k" && value == -1) value = 0;
    RINGLET_RETURN_IF_ERROR(SetSamplerParameter(options, name, value, path));
  }
  return Status::Ok();
}

}  // namespace ringlet
