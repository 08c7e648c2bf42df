#include "train/run/initialize.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/rng.h"
#include "model/checkpoint.h"

namespace ringlet {
namespace {

Status LoadTensor(const TensorSource& tensors, const TensorPlace& place, float* out) {
  const StoredTensor* tensor = tensors.Find(place.name);
  const std::string source = tensors.path();
  if (tensor == nullptr) return BadInput(source, place.name, "nothing", "a tensor");
  if (tensor->shape != place.shape) {
    return BadInput(source, place.name, fmt::format("shape [{}]", fmt::join(tensor->shape, ", ")),
                    fmt::format("[{}]", fmt::join(place.shape, ", ")));
  }
  const bool stored =
      tensor->dtype == DType::kF32 || tensor->dtype == DType::kF16 || tensor->dtype == DType::kBF16;
  if (!stored) {
    return BadInput(source, place.name, std::string(Name(tensor->dtype)), "BF16, F16 or F32");
  }
  for (int64_t row = 0; row < tensor->rows(); ++row) {
    DecodeRow(*tensor, row, out + place.first + row * tensor->row_elements());
  }
  return Status::Ok();
}

}  // namespace

Status LoadWeights(ParameterSet& parameters, const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const Checkpoint checkpoint, OpenCheckpoint(path));
  if (checkpoint.packed != nullptr || checkpoint.gguf != nullptr) {
    return BadInput(path, "", "packed weights", "a directory with safetensors");
  }
  for (Parameter& parameter : parameters.all()) {
    for (const TensorPlace& place : parameter.tensors) {
      RINGLET_RETURN_IF_ERROR(LoadTensor(*checkpoint.tensors, place, parameter.value));
    }
  }
  return Status::Ok();
}

void InitializeWeights(ParameterSet& parameters, uint64_t seed, float spread) {
  const auto layers = static_cast<float>(parameters.config().layers.size());
  const float residual = spread / std::sqrt(2.0f * layers);
  for (Parameter& parameter : parameters.all()) {
    if (parameter.rows == 1) {
      std::fill_n(parameter.value, parameter.size(), parameter.trained ? 1.0f : 0.0f);
      continue;
    }
    const bool writes =
        parameter.name.ends_with("attention.out") || parameter.name.ends_with("down");
    Rng rng(NameSeed(parameter.name) ^ Rng(seed).Next());
    for (int64_t i = 0; i < parameter.size(); ++i) {
      parameter.value[i] = (writes ? residual : spread) * static_cast<float>(rng.Normal());
    }
  }
}

}  // namespace ringlet
