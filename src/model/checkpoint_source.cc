#include "model/checkpoint_source.h"

#include <algorithm>

#include <fmt/format.h>

namespace ringlet {
namespace {

class Namer {
 public:
  NamedWeights Name(const ModelWeights& weights) && {
    Matrix("embedding", weights.embedding);
    Matrix("head", weights.head);
    Vector("final_norm", weights.final_norm);
    for (size_t l = 0; l < weights.layers.size(); ++l) {
      Layer(fmt::format("layers.{}.", l), weights.layers[l]);
    }
    for (size_t m = 0; m < weights.mtp.size(); ++m) {
      const std::string prefix = fmt::format("mtp.{}.", m);
      const MtpWeights& mtp = weights.mtp[m];
      Vector(prefix + "embed_norm", mtp.embed_norm);
      Vector(prefix + "hidden_norm", mtp.hidden_norm);
      Vector(prefix + "final_norm", mtp.final_norm);
      Matrix(prefix + "projection", mtp.projection);
      Layer(prefix, mtp.layer);
    }
    return std::move(named_);
  }

 private:
  void Matrix(const std::string& name, const MatrixRef& matrix) {
    if (matrix.present()) named_.matrices.emplace(name, &matrix);
  }

  void Vector(const std::string& name, const StoredTensor* tensor) {
    if (tensor != nullptr) named_.vectors.emplace(name, tensor);
  }

  void Mlp(const std::string& prefix, const MlpWeights& mlp) {
    Matrix(prefix + "gate_up", mlp.gate_up);
    Matrix(prefix + "down", mlp.down);
  }

  void Layer(const std::string& prefix, const LayerWeights& layer) {
    Vector(prefix + "input_norm", layer.input_norm);
    Vector(prefix + "post_norm", layer.post_norm);
    const AttentionWeights& attention = layer.attention;
    Matrix(prefix + "attention.qkv", attention.qkv);
    Matrix(prefix + "attention.out", attention.out);
    Matrix(prefix + "attention.gate", attention.gate);
    Vector(prefix + "attention.q_norm", attention.q_norm);
    Vector(prefix + "attention.k_norm", attention.k_norm);
    Vector(prefix + "attention.group_norm", attention.group_norm);
    if (layer.dense) Mlp(prefix, *layer.dense);
    if (!layer.moe) return;
    Matrix(prefix + "router", layer.moe->router);
    Vector(prefix + "expert_bias", layer.moe->expert_bias);
    for (size_t e = 0; e < layer.moe->experts.size(); ++e) {
      Mlp(fmt::format("{}experts.{}.", prefix, e), layer.moe->experts[e]);
    }
    if (layer.moe->shared) Mlp(prefix + "shared.", *layer.moe->shared);
  }

  NamedWeights named_;
};

uint64_t StoredBytes(const MatrixRef& matrix) {
  uint64_t bytes = 0;
  for (const MatrixSegment& segment : matrix.segments) {
    const int64_t row = segment.tensor->row_elements();
    bytes += static_cast<uint64_t>(segment.rows) *
             RowBytes(segment.tensor->dtype, static_cast<uint64_t>(row)).value_or(0);
  }
  return bytes;
}

uint64_t BytesOf(const PackingPlan& plan, int64_t n, int64_t k) {
  return static_cast<uint64_t>((n + kPanel - 1) / kPanel) *
         static_cast<uint64_t>(PanelBytes(plan.format, plan.quant, k));
}

}  // namespace

NamedWeights NameWeights(const ModelWeights& weights) { return Namer().Name(weights); }

CheckpointSource::CheckpointSource(const ModelWeights& weights, ComputeType compute,
                                   Context& context, ProgressFunction progress)
    : named_(NameWeights(weights)),
      compute_(compute),
      context_(context),
      progress_(std::move(progress)) {
  for (const auto& [name, matrix] : named_.matrices) {
    if (name != "embedding") total_ += StoredBytes(*matrix);
  }
}

const PackingPlan& CheckpointSource::PlanOf(const MatrixRef& matrix, MatrixRole role) {
  const auto [found, added] = plans_.try_emplace(&matrix);
  // The router computes in fp32 whatever the rest does.
  if (added && role != MatrixRole::kRouter) found->second = PlanPacking(matrix, compute_);
  return found->second;
}

uint64_t CheckpointSource::PackedBytes() {
  uint64_t bytes = 0;
  for (const auto& [name, matrix] : named_.matrices) {
    if (name == "embedding") continue;
    const bool router = name.ends_with(".router");
    const MatrixRole role = router ? MatrixRole::kRouter : MatrixRole::kLinear;
    bytes += BytesOf(PlanOf(*matrix, role), matrix->rows, matrix->cols);
  }
  return bytes;
}

const MatrixRef* CheckpointSource::Find(const std::string& name, int64_t rows, int64_t cols) {
  const auto found = named_.matrices.find(name);
  RINGLET_CHECK(
      found != named_.matrices.end() && found->second->rows == rows && found->second->cols == cols,
      "binding and building disagree");
  return found->second;
}

PackedMatrix CheckpointSource::Layout(const MatrixRequest& request) {
  const PackingPlan& plan = PlanOf(*Find(request.name, request.n, request.k), request.role);
  return {.format = plan.format,
          .quant = plan.quant,
          .n = request.n,
          .k = request.k,
          .panel_bytes = PanelBytes(plan.format, plan.quant, request.k)};
}

PackedMatrix CheckpointSource::Matrix(const MatrixRequest& request) {
  if (!status().ok()) return {};
  const MatrixRef& matrix = *Find(request.name, request.n, request.k);
  PackedMatrix packed = PackWeights(context_, matrix, PlanOf(matrix, request.role));
  done_ += StoredBytes(matrix);
  if (progress_ && !progress_(std::min(done_, total_), total_)) {
    Fail(Status(StatusCode::kCancelled, "loading was stopped"));
  }
  return packed;
}

std::vector<float> CheckpointSource::Vector(const std::string& name, int64_t n) {
  if (!status().ok()) return {};
  const auto found = named_.vectors.find(name);
  RINGLET_CHECK(found != named_.vectors.end() && found->second->elements() == n,
                "binding and building disagree");
  return DecodeVector(found->second);
}

RowTable CheckpointSource::Rows(const std::string& name, int64_t rows, int64_t cols) {
  if (!status().ok()) return {};
  return {.rows = *Find(name, rows, cols), .owner = nullptr};
}

}  // namespace ringlet
