// Random checkpoints of a true shape, in Hugging Face layout: for tests, benchmarks and as the
// start of training.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "tensor/dtype.h"

namespace ringlet {

struct RandomCheckpointOptions {
  DType dtype = DType::kBF16;  // kBF16 or kF32; expert biases are always F32
  uint64_t seed = 0;
  // A new file begins when the next tensor would take the current one beyond this many bytes.
  uint64_t shard_bytes = 5'000'000'000;
  // Multiplies the standard deviation of every matrix.
  double scale = 1.0;
  // Called from the writing thread; bytes of tensor data.
  std::function<void(uint64_t done, uint64_t total)> progress = {};
};

// Creates `directory`, which must not exist or be empty, with config.json (the given text),
// generation_config.json (when not empty), and *.safetensors with an index when there are several.
// Equal arguments give equal bytes; a tensor's values depend on its name, shape and the seed only.
// Matrices are normal with variance 1/columns, those that write to the residual stream smaller by
// sqrt(2 * layers), so that activations stay near one at any depth; norm weights are near one.
// Memory is bounded whatever the model's size. On error the files written so far are removed.
Status WriteRandomCheckpoint(const OrderedJson& config_json, const std::string& generation_json,
                             const std::string& directory, const RandomCheckpointOptions& options);

// Makes `directory`; an error when it is a file or holds files.
Status MakeEmptyDirectory(const std::string& directory);

}  // namespace ringlet
