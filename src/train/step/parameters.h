// ParameterSet: what training changes. Every weight of a configuration, fp32, with its gradient,
// under the names of model/weight_source.h; the tensors of a checkpoint (their names, and which
// rows of which weight they are); and the weights as the engine computes with them.
//
// Master values are fp32. The forward pass sees them as a checkpoint holds them, rounded to BF16
// (the bias of the experts stays fp32), so that a trained model computes the same bytes before and
// after it was written and loaded.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/aligned.h"
#include "base/status.h"
#include "model/arch.h"
#include "model/packed.h"
#include "ops/gemm/trained_matrix.h"

namespace ringlet {

// Rows of a weight that are one tensor of a checkpoint.
struct TensorPlace {
  std::string name;
  std::vector<int64_t> shape;
  int64_t first = 0;  // value, of the weight
  int64_t count = 0;
};

struct Parameter {
  std::string name;
  int64_t rows = 0;  // 1 for a vector
  int64_t cols = 0;
  bool fp32 = false;     // stored as fp32, not BF16
  bool decayed = false;  // weight decay: matrices, not the embedding
  bool trained = true;   // by gradients: all but the bias of the experts
  float* value = nullptr;
  float* gradient = nullptr;
  std::vector<TensorPlace> tensors;
  // Of matrices that are multiplied. Those of the router are packed as fp32, from rounded values.
  std::unique_ptr<TrainedMatrix> packed;

  int64_t size() const { return rows * cols; }
};

class ParameterSet {
 public:
  // All weights of `config`, zero. The matrices are multiplied as `format`, kBf16 or kF32; with
  // kF32 nothing is rounded.
  static Result<ParameterSet> Create(const HfArchitecture& architecture, const ModelConfig& config,
                                     PackedFormat format);

  // The parameter, which must exist.
  Parameter& Find(const std::string& name);
  std::deque<Parameter>& all() { return parameters_; }
  const std::deque<Parameter>& all() const { return parameters_; }
  int64_t values() const { return static_cast<int64_t>(values_.size()); }
  // Where the parameter's values begin in master() and its gradients in gradients().
  int64_t OffsetOf(const Parameter& parameter) const { return parameter.value - values_.data(); }
  // Every master value and every gradient, one parameter after the other.
  std::span<float> master() { return {values_.data(), values_.size()}; }
  std::span<float> gradients() { return {gradients_.data(), gradients_.size()}; }

  // Packs the matrices from the master values and gives the model that computes with them. Its
  // matrices stay in place from call to call; its vectors and embedding are those of the last call.
  PackedModel Pack(Context& context, KvType kv);

  const ModelConfig& config() const { return config_; }

 private:
  ModelConfig config_;
  std::deque<Parameter> parameters_;
  std::unordered_map<std::string, Parameter*> by_name_;
  AlignedBuffer<float> values_;
  AlignedBuffer<float> gradients_;
};

}  // namespace ringlet
