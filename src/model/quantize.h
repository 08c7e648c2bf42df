// Quantizing a checkpoint: from any Hugging Face directory we can open to one with packed integers
// (compressed-tensors "pack-quantized") or FP8 blocks. Streams: memory does not grow with the
// model.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "model/checkpoint.h"
#include "ops/context.h"

namespace ringlet {

enum class WeightType {
  kSource,  // as it is stored; FP8 becomes BF16
  kBf16,
  kInt8,  // 8-bit codes, a BF16 scale for each group of columns
  kInt4,  // 4-bit codes likewise
  kFp8,   // E4M3 with an fp32 scale for each 128 x 128 block
};

// "source", "bf16", "int8", "int4", "fp8".
std::string_view Name(WeightType type);
std::optional<WeightType> WeightTypeFromName(std::string_view name);

// Matrices whose name (with or without ".weight") matches `pattern`, in which * stands for any
// characters and ? for one, become `type`. The last rule that matches wins.
struct KeepRule {
  std::string pattern;
  WeightType type = WeightType::kSource;
};

// For each matrix, by its name in model/weight_source.h, how much an error in each input channel
// matters: mean squares of the activations. Matrices without an entry are treated evenly.
using ImportanceMap = std::unordered_map<std::string, std::vector<float>>;

struct QuantizeOptions {
  WeightType type = WeightType::kInt4;  // of linear layers: kInt4, kInt8 or kFp8
  int64_t group = 0;                    // 16, 32, 64 or 128 columns share a scale; 0: the default
  // Only what vLLM and SGLang load: groups of 32, embedding and head as stored.
  bool portable = false;
  std::vector<KeepRule> keep = {};
  uint64_t shard_bytes = uint64_t{1} << 30;
  const ImportanceMap* importance = nullptr;
  std::string importance_id = {};  // tells importances apart when an interrupted run is continued
  // Bytes of the source read so far and in all. Returning false stops with kCancelled.
  std::function<bool(uint64_t done, uint64_t total)> progress = {};
};

struct TensorReport {
  std::string name;
  std::string source;  // stored type before
  std::string type;    // and after: "int4", or a stored type for plain tensors
  int64_t elements = 0;
  uint64_t bytes = 0;
  double squared_error = 0;  // sum over elements of (new - old)^2
  double squared_norm = 0;   // of old^2; 0 when nothing changed and nobody looked

  // Root mean square of the error over that of the values.
  double RelativeError() const;
  double BitsPerWeight() const;
};

struct QuantizeReport {
  std::vector<TensorReport> tensors;
  uint64_t source_bytes = 0;
  uint64_t bytes = 0;
  int64_t shards = 0;
  int64_t resumed_shards = 0;  // finished by an earlier run
  int64_t damaged_shards = 0;  // of an earlier run, written again
  std::vector<std::string> skipped_files;
};

// Writes `directory`: shards of safetensors, their index, the side files of the source (tokenizer,
// template, code), and last config.json with its quantization_config. The directory must be new,
// empty, or left by an interrupted run with equal options, which is then continued: the result has
// the same bytes as that of one run. Equal arguments give equal bytes on every machine.
// Errors: a source that is not a plain or FP8 Hugging Face directory; options of another run; rules
// that match nothing; weights that are not finite; whatever the disk says.
Result<QuantizeReport> QuantizeCheckpoint(const Checkpoint& checkpoint,
                                          const std::string& directory, Context& context,
                                          const QuantizeOptions& options);

// Whether QuantizeCheckpoint would refuse the source or the options.
Status CheckQuantizable(const Checkpoint& checkpoint, const QuantizeOptions& options);

// The group size that 0 stands for.
int64_t DefaultGroup(const QuantizeOptions& options);

}  // namespace ringlet
