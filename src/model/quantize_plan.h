// What quantizing makes of each tensor, decided before anything is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "model/quantize.h"

namespace ringlet {

struct TensorPlan {
  MatrixRef matrix;  // of one tensor; for tensors that are copied, only segments[0].tensor counts
  WeightType type = WeightType::kSource;
  bool linear = false;  // a matrix that multiplies: it is a module of class Linear
  int64_t group = 0;
  const std::vector<float>* importance = nullptr;
  // What is written for it, in order. Packed: packed codes, scales, shape.
  std::vector<SafetensorsEntry> entries;

  const StoredTensor& tensor() const { return *matrix.segments.front().tensor; }
  // The name without ".weight".
  std::string Module() const;
  // Whether the bytes stay as they are.
  bool copied() const;
  uint64_t SourceBytes() const { return tensor().data.size(); }
  uint64_t Bytes() const;
};

struct ShardPlan {
  std::string file;
  size_t begin = 0;  // of the plan's tensors
  size_t end = 0;
  // Shapes first, so that all of them are aligned; then each tensor's other entries.
  std::vector<SafetensorsEntry> entries;
  uint64_t source_bytes = 0;
  uint64_t bytes = 0;  // of tensors
};

struct QuantizePlan {
  std::vector<TensorPlan> tensors;
  std::vector<ShardPlan> shards;
  uint64_t source_bytes = 0;
  uint64_t bytes = 0;
};

Result<QuantizePlan> PlanQuantization(const Checkpoint& checkpoint, const QuantizeOptions& options);

// The quantization_config that describes what the plan writes.
OrderedJson QuantizationJson(const QuantizePlan& plan, const QuantizeOptions& options);

bool IsPackedInteger(WeightType type);

// Whether `text` matches a pattern of * and ?.
bool MatchesPattern(std::string_view pattern, std::string_view text);

}  // namespace ringlet
