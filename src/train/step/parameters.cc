#include "train/step/parameters.h"

#include <algorithm>
#include <utility>

#include "model/build.h"
#include "model/checkpoint_source.h"
#include "ops/parallel_rows.h"
#include "train/step/weight_list.h"

namespace ringlet {
namespace {

float RoundedToBf16(float value) { return Bf16ToFloat(FloatToBf16(value)); }

// Where the tensors of a checkpoint lie in a weight.
std::vector<TensorPlace> TensorsOf(const NamedWeights& named, const ListedWeight& weight) {
  if (weight.vector) {
    const StoredTensor* tensor = named.vectors.at(weight.name);
    return {{tensor->name, tensor->shape, 0, weight.cols}};
  }
  std::vector<TensorPlace> tensors;
  int64_t first = 0;
  for (const MatrixSegment& segment : named.matrices.at(weight.name)->segments) {
    const int64_t count = segment.rows * weight.cols;
    tensors.push_back({segment.tensor->name, segment.tensor->shape, first, count});
    first += count;
  }
  return tensors;
}

// Packs master values as they are asked for.
class MasterSource : public WeightSource {
 public:
  MasterSource(Context& context, ParameterSet& parameters)
      : context_(context), parameters_(parameters) {}

  PackedMatrix Layout(const MatrixRequest& request) override {
    return parameters_.Find(request.name).packed->forward();
  }

  PackedMatrix Matrix(const MatrixRequest& request) override {
    Parameter& parameter = parameters_.Find(request.name);
    const float* values = parameter.value;
    if (parameter.packed->forward().format == PackedFormat::kF32 && !parameter.fp32) {
      values = Rounded(parameter);
    }
    parameter.packed->Pack(context_, values);
    return parameter.packed->forward();
  }

  std::vector<float> Vector(const std::string& name, int64_t n) override {
    const Parameter& parameter = parameters_.Find(name);
    const float* values = parameter.fp32 ? parameter.value : Rounded(parameter);
    return std::vector<float>(values, values + n);
  }

  RowTable Rows(const std::string& name, int64_t rows, int64_t cols) override {
    const Parameter& parameter = parameters_.Find(name);
    auto table = std::make_shared<Table>();
    const auto count = static_cast<size_t>(rows * cols);
    StoredTensor& tensor = table->tensor;
    tensor.name = name;
    tensor.dtype = parameter.fp32 ? DType::kF32 : DType::kBF16;
    tensor.shape = {rows, cols};
    if (parameter.fp32) {
      tensor.data = std::as_bytes(std::span<const float>(parameter.value, count));
    } else {
      table->rounded.Reset(count);
      ParallelRows(context_, rows, cols, [&](int64_t row) {
        for (int64_t i = row * cols; i < (row + 1) * cols; ++i) {
          table->rounded[static_cast<size_t>(i)] = FloatToBf16(parameter.value[i]);
        }
      });
      tensor.data = std::as_bytes(std::span<const bf16_t>(table->rounded.data(), count));
    }
    return {.rows = {.rows = rows, .cols = cols, .segments = {{.tensor = &tensor, .rows = rows}}},
            .owner = table};
  }

 private:
  struct Table {
    StoredTensor tensor;
    AlignedBuffer<bf16_t> rounded;
  };

  const float* Rounded(const Parameter& parameter) {
    rounded_.Reset(static_cast<size_t>(parameter.size()));
    std::transform(parameter.value, parameter.value + parameter.size(), rounded_.data(),
                   RoundedToBf16);
    return rounded_.data();
  }

  Context& context_;
  ParameterSet& parameters_;
  AlignedBuffer<float> rounded_;
};

}  // namespace

Result<ParameterSet> ParameterSet::Create(const HfArchitecture& architecture,
                                          const ModelConfig& config, PackedFormat format) {
  ParameterSet set;
  set.config_ = config;
  TensorBinder binder;
  ModelWeights weights;
  architecture.bind(binder, set.config_, weights);
  RINGLET_RETURN_IF_ERROR(binder.Finish({}));
  const NamedWeights named = NameWeights(weights);

  std::unordered_map<std::string, Parameter*> by_tensor;
  size_t total = 0;
  for (const ListedWeight& weight : ListWeights(set.config_)) {
    std::vector<TensorPlace> tensors = TensorsOf(named, weight);
    const auto [place, added] = by_tensor.try_emplace(tensors.front().name, nullptr);
    if (added) {  // else a head that is the embedding, too
      Parameter& parameter = set.parameters_.emplace_back();
      place->second = &parameter;
      const bool bias = weight.name.ends_with("expert_bias");
      parameter.name = weight.name;
      parameter.rows = weight.rows;
      parameter.cols = weight.cols;
      parameter.fp32 = bias || format == PackedFormat::kF32;
      parameter.decayed = !weight.vector && weight.name != "embedding";
      parameter.trained = !bias;
      parameter.tensors = std::move(tensors);
      total += static_cast<size_t>(parameter.size());
    }
    Parameter& parameter = *place->second;
    set.by_name_[weight.name] = &parameter;
    if (weight.multiplied) {
      parameter.packed = std::make_unique<TrainedMatrix>(
          weight.router ? PackedFormat::kF32 : format, weight.rows, weight.cols);
    }
  }
  set.values_.Reset(total);
  set.gradients_.Reset(total);
  std::ranges::fill(set.values_.span(), 0.0f);
  std::ranges::fill(set.gradients_.span(), 0.0f);
  size_t first = 0;
  for (Parameter& parameter : set.parameters_) {
    parameter.value = set.values_.data() + first;
    parameter.gradient = set.gradients_.data() + first;
    first += static_cast<size_t>(parameter.size());
  }
  return set;
}

Parameter& ParameterSet::Find(const std::string& name) {
  const auto found = by_name_.find(name);
  RINGLET_CHECK(found != by_name_.end(), "a weight that the configuration does not have");
  return *found->second;
}

PackedModel ParameterSet::Pack(Context& context, KvType kv) {
  MasterSource source(context, *this);
  return BuildPackedModel(config_, kv, source);
}

}  // namespace ringlet
