#include "model/checkpoint.h"

#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "model/arch.h"
#include "model/config_validate.h"
#include "model/eos_ids.h"
#include "model/packed_file.h"
#include "model/quantization.h"

namespace ringlet {
namespace {

std::string ConfigPath(const std::string& directory) { return directory + "/config.json"; }

Status NoSuchModel(const std::string& path) {
  return Status(StatusCode::kNotFound,
                path +
                    ": found no such file or directory, expected a directory with config.json and "
                    "*.safetensors, or a GGUF file");
}

Result<ModelConfig> ConfigOfDirectory(const Json& json, const std::string& directory) {
  const std::string path = ConfigPath(directory);
  RINGLET_ASSIGN_OR_RETURN(ModelConfig config, MapHfConfig(json, path));
  RINGLET_RETURN_IF_ERROR(AddHfEosIds(directory, config));
  // Again, now for the token ids of the other files.
  RINGLET_RETURN_IF_ERROR(ValidateConfig(config, directory, kHfKeys));
  return config;
}

// The directory's tensors, packed integer weights each as one matrix.
Result<std::shared_ptr<const TensorSource>> OpenTensors(const Json& json,
                                                        const std::string& directory) {
  RINGLET_ASSIGN_OR_RETURN(std::shared_ptr<const TensorSource> tensors,
                           Safetensors::Open(directory));
  const Json quantization = json.value("quantization_config", Json());
  if (!quantization.is_object() ||
      quantization.value("quant_method", Json()) != "compressed-tensors") {
    return tensors;
  }
  RINGLET_ASSIGN_OR_RETURN(const PackQuantized config,
                           PackQuantized::Parse(quantization, ConfigPath(directory)));
  return MergePacked(config, std::move(tensors));
}

// A directory whose weights are packed already. What the configuration leaves to the tensors is as
// in a random checkpoint.
Result<Checkpoint> OpenPacked(const std::string& path, BindFunction bind, ModelConfig config,
                              std::shared_ptr<const Safetensors> file) {
  RINGLET_ASSIGN_OR_RETURN(auto packed, PackedFile::Open(file));
  TensorBinder planner;
  ModelWeights planned;
  bind(planner, config, planned);
  RINGLET_RETURN_IF_ERROR(planner.Finish({}));
  return Checkpoint{.path = path,
                    .config = std::move(config),
                    .tensors = std::move(file),
                    .gguf = nullptr,
                    .packed = std::move(packed),
                    .weights = {}};
}

Result<Checkpoint> OpenDirectory(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(ConfigPath(path)));
  RINGLET_ASSIGN_OR_RETURN(ModelConfig config, ConfigOfDirectory(json, path));
  RINGLET_ASSIGN_OR_RETURN(const HfArchitecture* architecture,
                           FindHfArchitecture(json, ConfigPath(path)));
  RINGLET_ASSIGN_OR_RETURN(const auto tensors, OpenTensors(json, path));
  const auto file = std::dynamic_pointer_cast<const Safetensors>(tensors);
  if (file != nullptr && IsPackedFile(*file)) {
    return OpenPacked(path, architecture->bind, std::move(config), file);
  }
  ModelWeights weights;
  RINGLET_RETURN_IF_ERROR(BindTensors(architecture->bind, *tensors, config, weights));
  return Checkpoint{.path = path,
                    .config = std::move(config),
                    .tensors = tensors,
                    .gguf = nullptr,
                    .packed = nullptr,
                    .weights = std::move(weights)};
}

Result<Checkpoint> OpenGguf(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(auto file, GgufFile::Open(path));
  RINGLET_ASSIGN_OR_RETURN(ModelConfig config, MapGgufConfig(*file));
  RINGLET_ASSIGN_OR_RETURN(const GgufArchitecture* architecture, FindGgufArchitecture(*file));
  ModelWeights weights;
  RINGLET_RETURN_IF_ERROR(BindTensors(architecture->bind, *file, config, weights));
  return Checkpoint{.path = path,
                    .config = std::move(config),
                    .tensors = file,
                    .gguf = file,
                    .packed = nullptr,
                    .weights = std::move(weights)};
}

}  // namespace

Result<Checkpoint> OpenCheckpoint(const std::string& path) {
  if (IsDirectory(path)) return OpenDirectory(path);
  if (FileExists(path)) return OpenGguf(path);
  return NoSuchModel(path);
}

Result<ModelConfig> ReadModelConfig(const std::string& path) {
  if (IsDirectory(path)) {
    RINGLET_ASSIGN_OR_RETURN(const Json json, ReadJsonFile(ConfigPath(path)));
    return ConfigOfDirectory(json, path);
  }
  if (!FileExists(path)) return NoSuchModel(path);
  RINGLET_ASSIGN_OR_RETURN(const auto file, GgufFile::Open(path));
  return MapGgufConfig(*file);
}

}  // namespace ringlet
