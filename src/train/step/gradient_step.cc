#include "train/step/gradient_step.h"

#include <algorithm>
#include <deque>

#include "model/embed.h"
#include "ops/embedding/embedding_backward.h"
#include "ops/loss/cross_entropy.h"
#include "ops/norm/norm.h"
#include "ops/norm/norm_backward.h"

namespace ringlet {

// Keys, values and states of the documents of a batch. Layers that are computed again share theirs.
struct GradientStep::Storage {
  std::vector<AlignedBuffer<std::byte>> memory;
  std::deque<std::vector<LayeredBlock>> pages;
  std::deque<std::vector<LayeredBlock>> chunks;
  std::deque<AlignedBuffer<float>> anchors;

  std::vector<LayeredBlock> Blocks(int64_t rows, const KvLayout& kv, int64_t layers, bool shared) {
    std::vector<LayeredBlock> blocks;
    if (layers == 0) return blocks;
    const int64_t layer = kv.block_bytes();
    for (int64_t row = 0; row < rows; row += kBlockPositions) {
      memory.emplace_back(static_cast<size_t>(shared ? layer : layer * layers));
      blocks.push_back({memory.back().data(), shared ? 0 : layer});
    }
    return blocks;
  }
};

GradientStep::GradientStep(Context& context, ParameterSet& parameters,
                           const GradientOptions& options)
    : context_(context),
      parameters_(parameters),
      options_(options),
      storage_(std::make_unique<Storage>()) {
  for (size_t layer = 0; layer < parameters.config().layers.size(); ++layer) {
    block_parameters_.push_back(FindBlockParameters(parameters, layer));
  }
}

GradientStep::~GradientStep() = default;

void GradientStep::Run(const PackedModel& model, const TrainingBatch& batch, float scale) {
  Embed(model, batch, options_.recompute);
  ForwardBlocks(model, options_.recompute);
  LossAndGradient(model, batch, scale);
  BackwardBlocks(model);
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
  const bool shared = recompute != Recompute::kNone;
  *storage_ = {};
  batch_ = {};
  batch_.rows = batch.rows();
  std::vector<int64_t> positions(batch.tokens.size());
  for (size_t d = 0; d < batch.starts.size(); ++d) {
    const int64_t first = batch.starts[d];
    const int64_t end = d + 1 < batch.starts.size() ? batch.starts[d + 1] : batch.rows();
    RINGLET_CHECK(first < end, "a document has tokens");
    for (int64_t row = first; row < end; ++row) {
      positions[static_cast<size_t>(row)] = row - first;
    }
    storage_->pages.push_back(
        storage_->Blocks(end - first, model.softmax_kv, model.softmax_layers, shared));
    storage_->chunks.push_back(
        storage_->Blocks(end - first, model.lightning_kv, model.lightning_layers, shared));
    const KvLayout& kv = model.lightning_kv;
    storage_->anchors.emplace_back(
        static_cast<size_t>(model.lightning_layers * kv.kv_heads * kv.head_dim * kv.head_dim));
    batch_.spans.push_back({.first_row = first,
                            .rows = end - first,
                            .position = 0,
                            .pages = storage_->pages.back(),
                            .chunks = storage_->chunks.back(),
                            .anchor = nullptr,
                            .next_anchor = storage_->anchors.back().data()});
  }
  EmbedRows(context_, model, batch.tokens, positions, &x_, &cos_sin_);
  batch_.cos_sin = cos_sin_.data();
}

void GradientStep::Keep(const float* stream, AlignedBuffer<float>& to) const {
  const int64_t values = batch_.rows * parameters_.config().hidden;
  to.Reset(static_cast<size_t>(values));
  std::copy_n(stream, values, to.data());
}

void GradientStep::ForwardBlocks(const PackedModel& model, Recompute recompute) {
  const bool mixers_again = recompute != Recompute::kNone;
  const bool all_again = recompute == Recompute::kBlock;
  kept_.resize(model.blocks.size());
  load_.clear();
  again_.mixer.keep_lse = true;
  for (size_t i = 0; i < model.blocks.size(); ++i) {
    const Block& block = model.blocks[i];
    Kept& kept = kept_[i];
    kept.mixer.keep_lse = true;
    Keep(x_.data(), kept.input);
    ForwardMixer(context_, block, batch_, mixers_again ? again_.mixer : kept.mixer, x_.data());
    if (!all_again) Keep(x_.data(), kept.middle);
    Workspace& feed_forward = all_again ? again_.feed_forward : kept.feed_forward;
    ForwardFeedForward(context_, block, batch_.rows, feed_forward, x_.data());
    CountLoad(block, feed_forward);
  }
}

void GradientStep::CountLoad(const Block& block, const Workspace& work) {
  const Moe* moe = std::get_if<Moe>(&block.feed_forward);
  if (moe == nullptr) return;
  std::vector<int64_t>& rows = load_.emplace_back(moe->experts.size());
  for (const int32_t expert : work.expert_ids.span()) ++rows[static_cast<size_t>(expert)];
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

void GradientStep::BackwardBlocks(const PackedModel& model) {
  const bool mixers_again = options_.recompute != Recompute::kNone;
  const bool all_again = options_.recompute == Recompute::kBlock;
  for (size_t i = model.blocks.size(); i-- > 0;) {
    const Block& block = model.blocks[i];
    const Kept& kept = kept_[i];
    if (mixers_again) {
      Keep(kept.input.data(), x_);
      ForwardMixer(context_, block, batch_, again_.mixer, x_.data());
    }
    if (all_again) {
      Keep(x_.data(), again_.middle);
      ForwardFeedForward(context_, block, batch_.rows, again_.feed_forward, x_.data());
    }
    const BlockTrace trace{
        .input = kept.input.data(),
        .middle = (all_again ? again_ : kept).middle.data(),
        .mixer = &(mixers_again ? again_ : kept).mixer,
        .feed_forward = &(all_again ? again_ : kept).feed_forward,
    };
    Backward(context_, block, block_parameters_[i], batch_, trace, work_, dx_.data());
  }
}

}  // namespace ringlet
