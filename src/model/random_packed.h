// Random weights of a true shape, packed as the kernels want them: for timing full-size models on
// machines that could not hold them in BF16.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "ops/context.h"

namespace ringlet {

enum class PackedType { kInt4, kInt8, kFp8 };

struct RandomPackedOptions {
  PackedType linear = PackedType::kInt4;  // the linear layers; routers are fp32
  PackedType head = PackedType::kInt8;    // the output head
  uint64_t seed = 0;
  // Bytes packed so far and in all.
  std::function<void(uint64_t done, uint64_t total)> progress = {};
};

// Creates `directory`, which must not exist or be empty, with config.json, generation_config.json
// (when not empty) and one packed file (model/packed_file.h). Integer codes are uniform, FP8 codes
// those of normal values; the variances of the weights are those of WriteRandomCheckpoint. Equal
// arguments give equal bytes.
Status WriteRandomPacked(const OrderedJson& config_json, const std::string& generation_json,
                         const std::string& directory, Context& context,
                         const RandomPackedOptions& options);

}  // namespace ringlet
