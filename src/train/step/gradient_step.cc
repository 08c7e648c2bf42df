#include "train/step/gradient_step.h"

#include <algorithm>
#include <numeric>

#include "model/embed.h"
#include "ops/embedding/embedding_backward.h"
#include "ops/loss/cross_entropy.h"
#include "ops/norm/norm.h"
#include "ops/norm/norm_backward.h"

namespace ringlet {

namespace {

int64_t BlocksOf(int64_t rows) { return (rows + kBlockPositions - 1) / kBlockPositions; }

// What the layers of one kind write for the positions of a batch. Memory is kept from batch to
// batch, a block each, so that a larger batch adds to it.
class BlockStorage {
 public:
  void Reset(int64_t blocks, const KvLayout& kv, int64_t layers, bool shared) {
    taken_ = 0;
    blocks_.clear();
    if (layers == 0) return;
    const auto count = static_cast<size_t>(blocks);
    if (memory_.size() < count) memory_.resize(count);
    const int64_t layer = kv.block_bytes();
    for (size_t i = 0; i < count; ++i) {
      memory_[i].Reset(static_cast<size_t>(shared ? layer : layer * layers));
      blocks_.push_back({memory_[i].data(), shared ? 0 : layer});
    }
  }

  // The next blocks, for so many rows; none if there are no layers.
  std::span<const LayeredBlock> Take(int64_t rows) {
    if (blocks_.empty()) return {};
    const auto count = static_cast<size_t>(BlocksOf(rows));
    taken_ += count;
    return std::span(blocks_).subspan(taken_ - count, count);
  }

 private:
  std::vector<AlignedBuffer<std::byte>> memory_;
  std::vector<LayeredBlock> blocks_;
  size_t taken_ = 0;
};

}  // namespace

// Keys, values and states of the documents of a batch. Layers that are computed again share theirs.
struct GradientStep::Storage {
  BlockStorage pages;
  BlockStorage chunks;
  std::vector<AlignedBuffer<float>> anchors;  // of each document

  void Reset(const PackedModel& model, const TrainingBatch& batch, bool shared) {
    int64_t blocks = 0;
    for (size_t d = 0; d < batch.starts.size(); ++d) {
      RINGLET_CHECK(batch.starts[d] < batch.EndOf(d), "a document has tokens");
      blocks += BlocksOf(batch.EndOf(d) - batch.starts[d]);
    }
    const int64_t softmax = model.softmax_layers + static_cast<int64_t>(model.mtp.size());
    pages.Reset(blocks, model.softmax_kv, softmax, shared);
    chunks.Reset(blocks, model.lightning_kv, model.lightning_layers, shared);
    const KvLayout& kv = model.lightning_kv;
    if (anchors.size() < batch.starts.size()) anchors.resize(batch.starts.size());
    for (size_t d = 0; d < batch.starts.size(); ++d) {
      anchors[d].Reset(
          static_cast<size_t>(model.lightning_layers * kv.kv_heads * kv.head_dim * kv.head_dim));
    }
  }
};

GradientStep::GradientStep(Context& context, ParameterSet& parameters,
                           const GradientOptions& options)
    : context_(context),
      parameters_(parameters),
      options_(options),
      storage_(std::make_unique<Storage>()) {
  for (size_t layer = 0; layer < parameters.config().layers.size(); ++layer) {
    blocks_.emplace_back(FindBlockParameters(parameters, layer));
  }
  const int64_t mtp = options.mtp_weight > 0 ? parameters.config().mtp_layers : 0;
  for (int64_t m = 0; m < mtp; ++m) mtp_.emplace_back(context, parameters, m);
}

GradientStep::~GradientStep() = default;

void GradientStep::Run(const PackedModel& model, const TrainingBatch& batch, float scale) {
  Embed(model, batch, options_.recompute);
  ForwardBlocks(model, options_.recompute);
  LossAndGradient(model, batch, scale);
  BackwardBlocks(model, scale);
  EmbeddingBackward(context_, {
                                  .ids = batch.tokens.data(),
                                  .dy = dx_.data(),
                                  .rows = batch.rows(),
                                  .n = parameters_.config().hidden,
                                  .vocabulary = parameters_.config().vocab,
                                  .dweight = parameters_.Find("embedding").gradient,
                              });
}

void GradientStep::RunForward(const PackedModel& model, const TrainingBatch& batch) {
  Embed(model, batch, Recompute::kBlock);
  ForwardBlocks(model, Recompute::kBlock);
  Normalize(model);
  log_probs_.Reset(batch.tokens.size());
  lse_.Reset(batch.tokens.size());
  CrossEntropy(context_, {
                             .head = parameters_.Find("head").packed.get(),
                             .x = normed_.data(),
                             .labels = batch.labels.data(),
                             .rows = batch_.rows,
                             .log_probs = log_probs_.data(),
                             .lse = lse_.data(),
                         });
}

void GradientStep::Embed(const PackedModel& model, const TrainingBatch& batch,
                         Recompute recompute) {
  RINGLET_CHECK(!batch.starts.empty() && batch.starts[0] == 0, "the first document begins at 0");
  RINGLET_CHECK(batch.labels.size() == batch.tokens.size(), "a label for each token");
  storage_->Reset(model, batch, recompute != Recompute::kNone);
  batch_ = {};
  batch_.rows = batch.rows();
  std::vector<int64_t> positions(batch.tokens.size());
  for (size_t d = 0; d < batch.starts.size(); ++d) {
    const int64_t first = batch.starts[d];
    const int64_t rows = batch.EndOf(d) - first;
    std::iota(positions.begin() + first, positions.begin() + first + rows, 0);
    batch_.spans.push_back({.first_row = first,
                            .rows = rows,
                            .position = 0,
                            .pages = storage_->pages.Take(rows),
                            .chunks = storage_->chunks.Take(rows),
                            .anchor = nullptr,
                            .next_anchor = storage_->anchors[d].data()});
  }
  EmbedTokens(context_, model, batch.tokens, &x_);
  PositionAngles(context_, model, positions, &cos_sin_);
  batch_.cos_sin = cos_sin_.data();
}

void GradientStep::ForwardBlocks(const PackedModel& model, Recompute recompute) {
  load_.clear();
  for (size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].Forward(context_, model.blocks[i], batch_, recompute, work_, x_.data());
    CountLoad(blocks_[i].load());
  }
}

void GradientStep::CountLoad(const std::vector<int64_t>& load) {
  if (!load.empty()) load_.push_back(load);
}

void GradientStep::Normalize(const PackedModel& model) {
  const int64_t hidden = parameters_.config().hidden;
  normed_.Reset(static_cast<size_t>(batch_.rows * hidden));
  RmsNorm(context_, {.x = x_.data(),
                     .weight = model.final_norm.data(),
                     .y = normed_.data(),
                     .rows = batch_.rows,
                     .n = hidden,
                     .eps = static_cast<float>(parameters_.config().norm_eps)});
}

void GradientStep::LossAndGradient(const PackedModel& model, const TrainingBatch& batch,
                                   float scale) {
  const auto rows = static_cast<size_t>(batch_.rows);
  const int64_t hidden = parameters_.config().hidden;
  const auto values = rows * static_cast<size_t>(hidden);
  Normalize(model);
  dnormed_.Reset(values);
  dx_.Reset(values);
  log_probs_.Reset(rows);
  lse_.Reset(rows);
  Parameter& head = parameters_.Find("head");
  CrossEntropy(context_, {
                             .head = head.packed.get(),
                             .x = normed_.data(),
                             .labels = batch.labels.data(),
                             .rows = batch_.rows,
                             .scale = scale,
                             .z_loss = options_.z_loss,
                             .log_probs = log_probs_.data(),
                             .lse = lse_.data(),
                             .dx = dnormed_.data(),
                             .dw = head.gradient,
                             .add_dw = true,
                         });
  PredictFurther(model, batch, scale);
  RmsNormBackward(context_, {
                                .x = x_.data(),
                                .weight = model.final_norm.data(),
                                .dy = dnormed_.data(),
                                .dx = dx_.data(),
                                .dweight = parameters_.Find("final_norm").gradient,
                                .rows = batch_.rows,
                                .n = hidden,
                                .eps = static_cast<float>(parameters_.config().norm_eps),
                                .add_dweight = true,
                            });
}

// The losses of the MTP layers; what they say about the model's output is added to dnormed_.
void GradientStep::PredictFurther(const PackedModel& model, const TrainingBatch& batch,
                                  float scale) {
  mtp_loss_ = 0;
  mtp_labelled_ = 0;
  if (mtp_.empty()) return;
  const double share = options_.mtp_weight / static_cast<double>(mtp_.size());
  const MtpPass::Inputs inputs{.model = model,
                               .tokens = batch,
                               .batch = batch_,
                               .recompute = options_.recompute,
                               .router_z_loss = scale * options_.router_z_loss,
                               .scale = static_cast<float>(scale * share)};
  const float* h = normed_.data();
  for (MtpPass& layer : mtp_) {
    layer.Forward(inputs, h, work_);
    h = layer.output();
    CountLoad(layer.load());
  }
  const float* from_next = nullptr;
  for (size_t m = mtp_.size(); m-- > 0;) {
    AlignedBuffer<float>& buffer = mtp_gradients_[m % 2];
    if (m > 0) {
      buffer.Reset(dnormed_.size());
      std::ranges::fill(buffer.span(), 0.0f);
    }
    float* dh = m > 0 ? buffer.data() : dnormed_.data();
    mtp_[m].Backward(inputs, from_next, work_, dh);
    from_next = dh;
    for (const double log_prob : mtp_[m].log_probs()) mtp_loss_ -= log_prob;
    mtp_labelled_ += mtp_[m].labelled();
  }
}

void GradientStep::BackwardBlocks(const PackedModel& model, float scale) {
  for (size_t i = blocks_.size(); i-- > 0;) {
    blocks_[i].Backward(context_, model.blocks[i], batch_, options_.recompute,
                        scale * options_.router_z_loss, work_, dx_.data());
  }
}

}  // namespace ringlet
