// Weights packed from an opened checkpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/checkpoint.h"
#include "model/packing.h"
#include "model/weight_source.h"
#include "ops/context.h"

namespace ringlet {

// A checkpoint's weights under the names of weight_source.h. Points into `weights`.
struct NamedWeights {
  std::unordered_map<std::string, const MatrixRef*> matrices;  // with the embedding
  std::unordered_map<std::string, const StoredTensor*> vectors;
};
NamedWeights NameWeights(const ModelWeights& weights);

// Packs what is asked for, in memory, with the context's threads.
class CheckpointSource : public WeightSource {
 public:
  // `progress(done, total)` in bytes of stored matrices; returning false stops with kCancelled.
  using ProgressFunction = std::function<bool(uint64_t done, uint64_t total)>;
  // `weights` must outlive the source and, for the row tables, what it gives.
  CheckpointSource(const ModelWeights& weights, ComputeType compute, Context& context,
                   ProgressFunction progress);

  PackedMatrix Layout(const MatrixRequest& request) override;
  PackedMatrix Matrix(const MatrixRequest& request) override;
  std::vector<float> Vector(const std::string& name, int64_t n) override;
  RowTable Rows(const std::string& name, int64_t rows, int64_t cols) override;

  // Bytes that packing every matrix of the checkpoint would give.
  uint64_t PackedBytes();

 private:
  const PackingPlan& PlanOf(const MatrixRef& matrix, MatrixRole role);
  const MatrixRef* Find(const std::string& name, int64_t rows, int64_t cols);

  NamedWeights named_;
  // Made once: a plan looks at every scale of packed integers.
  std::unordered_map<const MatrixRef*, PackingPlan> plans_;
  ComputeType compute_;
  Context& context_;
  ProgressFunction progress_;
  uint64_t total_ = 0;
  uint64_t done_ = 0;
};

}  // namespace ringlet
