#include "train/run/memory_estimate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "model/packing.h"
#include "ops/gemm/gemm.h"
#include "ops/kv_block.h"
#include "ops/loss/cross_entropy.h"
#include "train/step/weight_list.h"

namespace ringlet {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kKernelScratch = int64_t{20} << 20;  // operands of weight gradients, for the most

class Estimator {
 public:
  Estimator(const RunConfig& run, const ModelConfig& model, const IsaChoice& isa)
      : run_(run),
        model_(model),
        isa_(isa),
        format_(run.compute == Compute::kBf16 ? PackedFormat::kBf16 : PackedFormat::kF32) {}

  MemoryEstimate Run() const {
    MemoryEstimate estimate;
    AddWeights(&estimate);
    estimate.kept = rows() * Kept() + StateBytes();
    estimate.work = rows() * Shared() + LossBytes() + kKernelScratch;
    return estimate;
  }

 private:
  int64_t sequence() const {
    int64_t longest = 0;
    for (const StageSettings& stage : run_.stages) longest = std::max(longest, stage.sequence);
    return longest;
  }
  // Of a micro-batch.
  int64_t sequences() const { return std::max<int64_t>(1, run_.micro_batch_tokens / sequence()); }
  int64_t rows() const { return sequences() * sequence(); }
  int64_t mtp_layers() const { return run_.loss.mtp_weight > 0 ? model_.mtp_layers : 0; }
  int64_t Prepared(int64_t k) const { return PreparedRowBytes(isa_, format_, k); }

  void AddWeights(MemoryEstimate* estimate) const {
    for (const ListedWeight& weight : ListWeights(model_)) {
      const int64_t values = weight.rows * weight.cols;
      const bool table = weight.name == "embedding";
      const bool again = table && model_.tied_embeddings;  // listed as the head, too
      if (!again) estimate->weights += 4 * kFloat * values;
      // The rows of the embedding in the checkpoint's type.
      if (table && format_ == PackedFormat::kBf16) estimate->packed += 2 * values;
      if (!weight.multiplied) continue;
      const PackedFormat format = weight.router ? PackedFormat::kF32 : format_;
      estimate->packed += PackedBytes(format, weight.rows, weight.cols) +
                          PackedBytes(format, weight.cols, weight.rows);
    }
  }
  static int64_t PackedBytes(PackedFormat format, int64_t n, int64_t k) {
    return (n + kPanel - 1) / kPanel * PanelBytes(format, {}, k);
  }

  int64_t KvWidth(MixerKind kind) const {
    return (model_.qkv_rows(kind) - model_.attention_width()) / 2;
  }

  // What the forward pass of a mixer leaves for each row: its input, qkv, q, what attention gives;
  // gate and inner, or log-sum-exps; keys and values.
  int64_t MixerBytes(MixerKind kind) const {
    const bool lightning = kind == MixerKind::kLightning;
    const int64_t width = model_.attention_width();
    const int64_t own = lightning ? 2 * width : model_.heads;
    const int64_t kv = !lightning && format_ == PackedFormat::kBf16 ? 2 : kFloat;
    return kFloat * (model_.hidden + model_.qkv_rows(kind) + 2 * width + own) +
           kv * 2 * KvWidth(kind);
  }

  // The same of a feed-forward block: its input, gate | up, inner; of experts also their outputs,
  // the shared expert and what the router says.
  int64_t FeedForwardBytes(FfnKind kind) const {
    if (kind == FfnKind::kDense) return kFloat * (model_.hidden + 3 * model_.dense_ffn);
    const MoeSpec& moe = model_.moe;
    return kFloat * (model_.hidden + 3 * moe.top_k * moe.expert_ffn + moe.top_k * model_.hidden +
                     3 * moe.shared_ffn + moe.experts + 2 * moe.top_k);
  }

  // What stays for each row while the layers go by.
  int64_t Kept() const {
    const int64_t stream = kFloat * model_.hidden;
    int64_t bytes = 0;
    int64_t mixer = 0;
    int64_t feed_forward = 0;
    const auto add = [&](const LayerSpec& layer) {
      const int64_t first = MixerBytes(layer.mixer);
      const int64_t second = FeedForwardBytes(layer.ffn) + stream;  // and its place in the stream
      bytes += stream;
      if (run_.recompute == Recompute::kNone) bytes += first;
      if (run_.recompute != Recompute::kBlock) bytes += second;
      mixer = std::max(mixer, first);
      feed_forward = std::max(feed_forward, second);
    };
    for (const LayerSpec& layer : model_.layers) add(layer);
    for (int64_t m = 0; m < mtp_layers(); ++m) {
      add({MixerKind::kSoftmax, model_.moe.experts > 0 ? FfnKind::kMoe : FfnKind::kDense});
      bytes += kFloat * 9 * model_.hidden;
    }
    // What is computed again lies in one place for all layers.
    if (run_.recompute != Recompute::kNone) bytes += mixer + stream;
    if (run_.recompute == Recompute::kBlock) bytes += feed_forward;
    return bytes;
  }

  // The linear state after each document, of every lightning layer.
  int64_t StateBytes() const {
    const int64_t layers =
        std::ranges::count(model_.layers, MixerKind::kLightning, &LayerSpec::mixer);
    return sequences() * layers * kFloat * model_.attention_width() * model_.head_dim;
  }

  // What the layers share, for each row: prepared inputs, a backward pass, the model's two ends.
  int64_t Shared() const {
    const int64_t hidden = model_.hidden;
    const int64_t width = model_.attention_width();
    const MoeSpec& moe = model_.moe;
    int64_t inner = Prepared(width);      // prepared for the second matrix of a block
    int64_t gradient = Prepared(hidden);  // prepared for a transposed matrix
    int64_t inner_gradient = width;
    int64_t mixer = 0;
    int64_t feed_forward = 0;
    int64_t shared_expert = 0;
    for (const LayerSpec& layer : model_.layers) {
      const int64_t qkv = model_.qkv_rows(layer.mixer);
      const int64_t gated = layer.mixer == MixerKind::kLightning ? 2 * width : 0;
      gradient = std::max(gradient, Prepared(qkv));
      mixer = std::max(mixer, width + 2 * KvWidth(layer.mixer) + qkv + gated);
      const bool dense = layer.ffn == FfnKind::kDense;
      const int64_t slots = dense ? 1 : moe.top_k;
      const int64_t ffn = dense ? model_.dense_ffn : moe.expert_ffn;
      const int64_t most = std::max(slots * ffn, dense ? 0 : moe.shared_ffn);
      inner = std::max(inner, slots * Prepared(ffn));
      gradient = std::max(gradient, slots * Prepared(2 * ffn));
      inner_gradient = std::max(inner_gradient, most);
      if (dense) {
        feed_forward = std::max(feed_forward, 2 * most);
        continue;
      }
      gradient = std::max(gradient, slots * Prepared(hidden));
      feed_forward = std::max(feed_forward, 2 * most + 2 * slots * hidden + slots + moe.experts);
      // Inputs of the router in fp32; the shared expert's rows and output.
      shared_expert = kFloat * 2 * hidden + Prepared(moe.shared_ffn);
    }
    // Of each row: x, its gradient, both normalized; two gradients of a block's input and what a
    // block adds; angles and the loss.
    const int64_t ends = 7 * hidden + model_.rope.rotary_dim + 3;
    // An MTP layer's projection has two inputs.
    const int64_t input = Prepared(mtp_layers() > 0 ? 2 * hidden : hidden);
    return input + inner + shared_expert + gradient +
           kFloat * (inner_gradient + mixer + feed_forward + ends);
  }

  int64_t LossBytes() const {
    return kLossRows *
           (kFloat * (2 * kVocabularyBlock + 3 * model_.hidden) + Prepared(model_.hidden));
  }

  const RunConfig& run_;
  const ModelConfig& model_;
  const IsaChoice& isa_;
  PackedFormat format_;
};

}  // namespace

MemoryEstimate EstimateMemory(const RunConfig& config, const ModelConfig& model,
                              const IsaChoice& isa) {
  return Estimator(config, model, isa).Run();
}

std::string Describe(const MemoryEstimate& estimate) {
  const auto text = [](int64_t bytes) { return FormatBytes(static_cast<uint64_t>(bytes)); };
  return fmt::format("{} (weights and optimizer {}, packed weights {}, activations {}, work {})",
                     text(estimate.total()), text(estimate.weights), text(estimate.packed),
                     text(estimate.kept), text(estimate.work));
}

}  // namespace ringlet
