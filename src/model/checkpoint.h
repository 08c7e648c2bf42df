// Checkpoint: a model on disk, opened and understood but not yet packed for computing.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "model/config.h"
#include "model/weights.h"
#include "tensor/tensor_source.h"

namespace ringlet {

class GgufFile;
class PackedFile;

struct Checkpoint {
  std::string path;  // directory or GGUF file
  ModelConfig config;
  std::shared_ptr<const TensorSource> tensors;
  std::shared_ptr<const GgufFile> gguf;  // set when path is a GGUF file (tokenizer, template)
  // Set when the directory holds a packed file in place of tensors: `weights` is empty then.
  std::shared_ptr<PackedFile> packed;
  ModelWeights weights;  // points into *tensors
};

// Opens a Hugging Face directory (config.json, *.safetensors) or a GGUF file, maps its
// configuration and binds every tensor. Errors name the file and the key or tensor: unknown
// architecture, unknown configuration key, missing or unused tensor, wrong shape or dtype.
Result<Checkpoint> OpenCheckpoint(const std::string& path);

// Only the configuration (no tensors are opened).
Result<ModelConfig> ReadModelConfig(const std::string& path);

}  // namespace ringlet
