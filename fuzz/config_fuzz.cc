// Input: the text of a config.json.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "model/arch.h"
#include "model/config_validate.h"
#include "model/model_stats.h"

namespace {

constexpr size_t kMaxPlan = 4000;  // tensors; planning more only takes time

size_t TensorEstimate(const ringlet::ModelConfig& config) {
  return (config.layers.size() + static_cast<size_t>(config.mtp_layers)) *
         (16 + 3 * static_cast<size_t>(config.moe.experts));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringlet;
  const auto json = ParseJson({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!json.ok()) return 0;
  auto config = MapHfConfig(*json, "fuzz");
  if (!config.ok()) {
    RINGLET_CHECK(config.status().message().starts_with("fuzz: "), "an error names the file");
    return 0;
  }
  RINGLET_CHECK(ValidateConfig(*config, "fuzz", kHfKeys).ok(), "a mapped configuration is valid");
  const ModelStats stats = CountParameters(*config);
  RINGLET_CHECK(stats.active > 0 && stats.active <= stats.total, "counts must be consistent");
  if (TensorEstimate(*config) > kMaxPlan) return 0;
  TensorBinder binder;
  ModelWeights weights;
  FindHfArchitecture(*json, "fuzz").value()->bind(binder, *config, weights);
  RINGLET_CHECK(binder.Finish({}).ok(), "a valid configuration can be planned");
  int64_t elements = 0;
  for (const StoredTensor& tensor : binder.plan()) {
    const bool bias = tensor.name.ends_with(".expert_bias");  // stored, but not a parameter
    elements += bias ? 0 : tensor.elements();
  }
  RINGLET_CHECK(elements == stats.total, "the plan holds what is counted");
  return 0;
}
