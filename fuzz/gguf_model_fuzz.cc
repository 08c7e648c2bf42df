// Input: a GGUF file, mapped and bound as a model; the first and last row of every matrix is
// decoded.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "io/gguf.h"
#include "model/arch.h"
#include "model/model_stats.h"

namespace {

void Decode(const ringlet::MatrixRef& matrix) {
  if (!matrix.present()) return;
  std::vector<float> row(static_cast<size_t>(matrix.cols));
  matrix.DecodeRow(0, row.data());
  matrix.DecodeRow(matrix.rows - 1, row.data());
}

void Decode(const ringlet::MlpWeights& mlp) {
  Decode(mlp.gate_up);
  Decode(mlp.down);
}

void Decode(const ringlet::LayerWeights& layer) {
  Decode(layer.attention.qkv);
  Decode(layer.attention.out);
  if (layer.dense) Decode(*layer.dense);
  if (!layer.moe) return;
  Decode(layer.moe->router);
  for (const ringlet::MlpWeights& expert : layer.moe->experts) Decode(expert);
  if (layer.moe->shared) Decode(*layer.moe->shared);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringlet;
  const auto file = GgufFile::Parse(std::as_bytes(std::span(data, size)), "fuzz", nullptr);
  if (!file.ok()) return 0;
  auto config = MapGgufConfig(**file);
  if (!config.ok()) return 0;
  ModelWeights weights;
  const BindFunction bind = FindGgufArchitecture(**file).value()->bind;
  if (!BindTensors(bind, **file, *config, weights).ok()) return 0;
  RINGLET_CHECK(weights.layers.size() == config->layers.size(), "every layer is bound");
  RINGLET_CHECK(CountParameters(*config).total > 0, "counts must be positive");
  Decode(weights.embedding);
  Decode(weights.head);
  for (const LayerWeights& layer : weights.layers) Decode(layer);
  for (const MtpWeights& mtp : weights.mtp) Decode(mtp.layer);
  return 0;
}
