#include "model/model.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/memory.h"
#include "model/packed.h"
#include "model/packing.h"
#include "model/positional.h"

namespace ringlet {
namespace {

uint64_t StoredBytes(const MatrixRef& matrix) {
  uint64_t bytes = 0;
  for (const MatrixSegment& segment : matrix.segments) {
    const int64_t row = segment.tensor->row_elements();
    bytes += static_cast<uint64_t>(segment.rows) *
             RowBytes(segment.tensor->dtype, static_cast<uint64_t>(row)).value_or(0);
  }
  return bytes;
}

uint64_t PackedBytes(const MatrixRef& matrix, ComputeType compute) {
  const PackingPlan plan = PlanPacking(matrix, compute);
  const auto values = static_cast<uint64_t>((matrix.rows + kPanel - 1) / kPanel * kPanel) *
                      static_cast<uint64_t>(matrix.cols);
  switch (plan.format) {
    case PackedFormat::kF32:
      return values * 4;
    case PackedFormat::kBf16:
      return values * 2;
    case PackedFormat::kQuant:
      return values / static_cast<uint64_t>(kPanel * plan.quant.group) *
             static_cast<uint64_t>(plan.quant.GroupBytes());
  }
  return 0;
}

// Every matrix that gets packed.
template <typename Visit>
void ForEachMatrix(const ModelWeights& weights, const Visit& visit) {
  const auto mlp = [&](const MlpWeights& w) {
    visit(w.gate_up);
    visit(w.down);
  };
  const auto layer = [&](const LayerWeights& w) {
    visit(w.attention.qkv);
    visit(w.attention.out);
    if (w.attention.gate.present()) visit(w.attention.gate);
    if (w.dense) mlp(*w.dense);
    if (!w.moe) return;
    visit(w.moe->router);
    for (const MlpWeights& expert : w.moe->experts) mlp(expert);
    if (w.moe->shared) mlp(*w.moe->shared);
  };
  for (const LayerWeights& w : weights.layers) layer(w);
  for (const MtpWeights& w : weights.mtp) {
    visit(w.projection);
    layer(w.layer);
  }
  visit(weights.head);
}

// Packs one model; remembers progress and the first reason to stop.
class Packer {
 public:
  Packer(const ModelConfig& config, Context& context, const LoadOptions& options, uint64_t total)
      : config_(config), context_(context), options_(options), total_(total) {}

  const Status& status() const { return status_; }
  uint64_t packed_bytes() const { return packed_bytes_; }

  PackedMatrix Matrix(const MatrixRef& matrix) {
    return Pack(matrix, PlanPacking(matrix, options_.compute));
  }

  // The router computes in fp32 whatever the rest does.
  PackedMatrix RouterMatrix(const MatrixRef& matrix) { return Pack(matrix, PackingPlan{}); }

  Mlp PackMlp(const MlpWeights& weights) {
    return {.gate_up = Matrix(weights.gate_up), .down = Matrix(weights.down)};
  }

  Moe PackMoe(const MoeWeights& weights) {
    const MoeSpec& spec = config_.moe;
    Moe moe;
    moe.router = RouterMatrix(weights.router);
    moe.expert_bias = DecodeVector(weights.expert_bias);
    for (const MlpWeights& expert : weights.experts) moe.experts.push_back(PackMlp(expert));
    if (weights.shared) moe.shared = PackMlp(*weights.shared);
    moe.top_k = spec.top_k;
    moe.groups = spec.groups;
    moe.top_groups = spec.top_groups;
    moe.softmax_score = spec.score == RouterScore::kSoftmax;
    moe.normalize = spec.normalize;
    moe.routed_scale = static_cast<float>(spec.routed_scale);
    return moe;
  }

  MixerSpec Spec(const KvLayout& kv) const {
    return {.heads = config_.heads,
            .kv = kv,
            .rotary_dim = config_.rope.rotary_dim,
            .eps = static_cast<float>(config_.norm_eps)};
  }

  SoftmaxMixer PackSoftmax(const AttentionWeights& weights, const KvLayout& kv, int64_t index) {
    return {.spec = Spec(kv),
            .layer = index,
            .qkv = Matrix(weights.qkv),
            .out = Matrix(weights.out),
            .q_norm = DecodeVector(weights.q_norm),
            .k_norm = DecodeVector(weights.k_norm)};
  }

  LightningMixer PackLightning(const AttentionWeights& weights, const KvLayout& kv, int64_t index,
                               int64_t layer) {
    return {.spec = Spec(kv),
            .layer = index,
            .groups = config_.group_norm_groups,
            .qkv = Matrix(weights.qkv),
            .out = Matrix(weights.out),
            .gate = Matrix(weights.gate),
            .q_norm = DecodeVector(weights.q_norm),
            .k_norm = DecodeVector(weights.k_norm),
            .group_norm = DecodeVector(weights.group_norm),
            .decay = MakeDecayTable(LogDecays(config_, layer))};
  }

  // Everything of a block but its mixer.
  Block PackBlock(const LayerWeights& weights) {
    Block block;
    block.input_norm = DecodeVector(weights.input_norm);
    block.post_norm = DecodeVector(weights.post_norm);
    block.eps = static_cast<float>(config_.norm_eps);
    if (weights.moe) {
      block.feed_forward = PackMoe(*weights.moe);
    } else {
      block.feed_forward = PackMlp(*weights.dense);
    }
    return block;
  }

 private:
  PackedMatrix Pack(const MatrixRef& matrix, const PackingPlan& plan) {
    if (!status_.ok()) return {};
    PackedMatrix packed = PackWeights(context_, matrix, plan);
    packed_bytes_ += packed.data.size();
    done_ += StoredBytes(matrix);
    if (options_.progress && !options_.progress(std::min(done_, total_), total_)) {
      status_ = Status(StatusCode::kCancelled, "loading was stopped");
    }
    return packed;
  }

  const ModelConfig& config_;
  Context& context_;
  const LoadOptions& options_;
  uint64_t total_;
  uint64_t done_ = 0;
  uint64_t packed_bytes_ = 0;
  Status status_;
};

void PackLayers(const Checkpoint& checkpoint, Packer& packer, PackedModel& packed) {
  const ModelConfig& config = checkpoint.config;
  for (size_t l = 0; l < config.layers.size(); ++l) {
    const LayerWeights& weights = checkpoint.weights.layers[l];
    Block block = packer.PackBlock(weights);
    if (config.layers[l].mixer == MixerKind::kSoftmax) {
      block.mixer =
          packer.PackSoftmax(weights.attention, packed.softmax_kv, packed.softmax_layers++);
    } else {
      block.mixer = packer.PackLightning(weights.attention, packed.lightning_kv,
                                         packed.lightning_layers++, static_cast<int64_t>(l));
    }
    packed.blocks.push_back(std::move(block));
  }
  for (size_t m = 0; m < checkpoint.weights.mtp.size(); ++m) {
    const MtpWeights& weights = checkpoint.weights.mtp[m];
    PackedMtp mtp;
    mtp.embed_norm = DecodeVector(weights.embed_norm);
    mtp.hidden_norm = DecodeVector(weights.hidden_norm);
    mtp.final_norm = DecodeVector(weights.final_norm);
    mtp.projection = packer.Matrix(weights.projection);
    mtp.block = packer.PackBlock(weights.layer);
    mtp.block.mixer = packer.PackSoftmax(weights.layer.attention, packed.softmax_kv,
                                         packed.softmax_layers + static_cast<int64_t>(m));
    packed.mtp.push_back(std::move(mtp));
  }
}

Status CheckMemory(const ModelWeights& weights, ComputeType compute) {
  uint64_t needed = 0;
  ForEachMatrix(weights, [&](const MatrixRef& m) { needed += PackedBytes(m, compute); });
  const uint64_t available = AvailableMemory();
  if (available == 0 || needed <= available) return Status::Ok();
  return Status(StatusCode::kResource,
                fmt::format("packed weights need {:.1f} GiB of memory, {:.1f} GiB are available",
                            static_cast<double>(needed) / (uint64_t{1} << 30),
                            static_cast<double>(available) / (uint64_t{1} << 30)));
}

}  // namespace

Model::Model() = default;
Model::~Model() = default;

Result<std::shared_ptr<const Model>> Model::Load(Checkpoint checkpoint, Context& context,
                                                 const LoadOptions& options) {
  RINGLET_RETURN_IF_ERROR(
      CheckMemory(checkpoint.weights, options.compute).WithContext(checkpoint.path));
  std::shared_ptr<Model> model(new Model());
  model->checkpoint_ = std::move(checkpoint);
  model->compute_ = options.compute;
  model->packed_ = std::make_unique<PackedModel>();

  const ModelConfig& config = model->config();
  const ModelWeights& weights = model->checkpoint_.weights;
  PackedModel& packed = *model->packed_;
  const KvType type = options.compute == ComputeType::kF32 ? KvType::kF32 : options.kv;
  packed.softmax_kv = {.type = type, .kv_heads = config.kv_heads, .head_dim = config.head_dim};
  // Tails are small and fold into an fp32 state: rounding them would be a hybrid model's largest
  // error.
  packed.lightning_kv = {
      .type = KvType::kF32, .kv_heads = config.heads, .head_dim = config.head_dim};
  packed.rope = MakeRopeFrequencies(config.rope);
  packed.final_norm = DecodeVector(weights.final_norm);

  uint64_t total = 0;
  ForEachMatrix(weights, [&](const MatrixRef& m) { total += StoredBytes(m); });
  Packer packer(config, context, options, total);
  PackLayers(model->checkpoint_, packer, packed);
  packed.head = packer.Matrix(weights.head);
  packed.bytes = packer.packed_bytes();
  if (!packer.status().ok()) return packer.status();
  return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace ringlet
