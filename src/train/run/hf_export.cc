#include "train/run/hf_export.h"

#include <algorithm>
#include <vector>

#include "base/file.h"
#include "io/safetensors.h"

namespace ringlet {
namespace {

std::vector<std::byte> StoredBytes(const Parameter& parameter, const TensorPlace& place) {
  const std::span<const float> values(parameter.value + place.first,
                                      static_cast<size_t>(place.count));
  const auto bytes = std::as_bytes(values);
  if (parameter.fp32) return {bytes.begin(), bytes.end()};
  std::vector<bf16_t> rounded(values.size());
  std::ranges::transform(values, rounded.begin(), FloatToBf16);
  const auto narrow = std::as_bytes(std::span(rounded));
  return {narrow.begin(), narrow.end()};
}

}  // namespace

Status WriteModelDirectory(const std::string& directory, const ParameterSet& parameters,
                           const OrderedJson& config,
                           const std::map<std::string, std::string>& texts) {
  RINGLET_RETURN_IF_ERROR(MakeDirectories(directory));
  std::vector<SafetensorsEntry> entries;
  for (const Parameter& parameter : parameters.all()) {
    for (const TensorPlace& place : parameter.tensors) {
      entries.push_back({.name = place.name,
                         .dtype = parameter.fp32 ? DType::kF32 : DType::kBF16,
                         .shape = place.shape});
    }
  }
  RINGLET_ASSIGN_OR_RETURN(
      SafetensorsWriter writer,
      SafetensorsWriter::Create(directory + "/model.safetensors", entries, {{"format", "pt"}}));
  for (const Parameter& parameter : parameters.all()) {
    for (const TensorPlace& place : parameter.tensors) {
      RINGLET_RETURN_IF_ERROR(writer.Append(StoredBytes(parameter, place)));
    }
  }
  RINGLET_RETURN_IF_ERROR(writer.Finish());
  for (const auto& [file, text] : texts) {
    RINGLET_RETURN_IF_ERROR(WriteFile(directory + "/" + file, text));
  }
  return WriteFile(directory + "/config.json", config.dump(2) + "\n");
}

}  // namespace ringlet
