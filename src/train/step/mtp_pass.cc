#include "train/step/mtp_pass.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/embed.h"
#include "ops/embedding/embedding_backward.h"
#include "ops/loss/cross_entropy.h"
#include "ops/moe/combine_backward.h"
#include "ops/norm/norm.h"
#include "ops/norm/norm_backward.h"
#include "ops/parallel_rows.h"

namespace ringlet {

MtpPass::MtpPass(Context& context, ParameterSet& parameters, int64_t index)
    : context_(context),
      parameters_(parameters),
      index_(index),
      block_(FindMtpParameters(parameters, index)) {
  const auto find = [&](const char* name) {
    return &parameters.Find(fmt::format("mtp.{}.{}", index, name));
  };
  embed_norm_ = find("embed_norm");
  hidden_norm_ = find("hidden_norm");
  final_norm_ = find("final_norm");
  projection_ = find("projection");
}

void MtpPass::Shift(const TrainingBatch& tokens) {
  const int64_t places = index_ + 1;
  ids_ = tokens.tokens;
  labels_.assign(tokens.tokens.size(), -1);
  for (size_t d = 0; d < tokens.starts.size(); ++d) {
    for (int64_t row = tokens.starts[d]; row + places < tokens.EndOf(d); ++row) {
      ids_[static_cast<size_t>(row)] = tokens.tokens[static_cast<size_t>(row + places)];
      labels_[static_cast<size_t>(row)] = tokens.labels[static_cast<size_t>(row + places)];
    }
  }
  labelled_ = std::ranges::count_if(labels_, [](int32_t label) { return label >= 0; });
}

void MtpPass::Forward(const Inputs& in, const float* h, PassWorkspace& work) {
  const PackedMtp& mtp = in.model.mtp[static_cast<size_t>(index_)];
  const int64_t hidden = parameters_.config().hidden;
  Shift(in.tokens);
  rows_ = in.batch.rows;
  h_ = h;
  EmbedTokens(context_, in.model, ids_, &embedded_);
  const RmsNormArgs embed{.x = embedded_.data(),
                          .weight = mtp.embed_norm.data(),
                          .rows = rows_,
                          .n = hidden,
                          .eps = mtp.block.eps};
  RmsNormArgs before = embed;
  before.x = h;
  before.weight = mtp.hidden_norm.data();
  const RowSource halves[] = {RmsNormRows(context_.isa, embed), RmsNormRows(context_.isa, before)};
  joined_.Assign({.rows = rows_,
                  .k = 2 * hidden,
                  .cost = halves[0].cost + halves[1].cost,
                  .fill =
                      [&](int64_t row, float* out) {
                        halves[0].fill(row, out);
                        halves[1].fill(row, out + hidden);
                      }},
                 work.mixer.scratch->input);
  x_.Reset(static_cast<size_t>(rows_ * hidden));
  Gemm(context_, mtp.projection, joined_.For(context_, mtp.projection.format), x_.data());
  block_.Forward(context_, mtp.block, in.batch, in.recompute, work, x_.data());
  normed_.Reset(x_.size());
  RmsNorm(context_, {.x = x_.data(),
                     .weight = mtp.final_norm.data(),
                     .y = normed_.data(),
                     .rows = rows_,
                     .n = hidden,
                     .eps = mtp.block.eps});
}

void MtpPass::NormBackward(const Parameter& norm, const std::vector<float>& weight, const float* x,
                           const float* dy, bool add, float* dx) const {
  RmsNormBackward(context_, {
                                .x = x,
                                .weight = weight.data(),
                                .dy = dy,
                                .dx = dx,
                                .dweight = norm.gradient,
                                .rows = rows_,
                                .n = static_cast<int64_t>(weight.size()),
                                .eps = static_cast<float>(parameters_.config().norm_eps),
                                .add_dx = add,
                                .add_dweight = true,
                            });
}

void MtpPass::SplitGradient(const float* joined, int64_t rows) {
  const int64_t hidden = parameters_.config().hidden;
  for (AlignedBuffer<float>& half : halves_) half.Reset(static_cast<size_t>(rows * hidden));
  ParallelRows(context_, rows, 2 * hidden, [&](int64_t row) {
    for (int64_t i = 0; i < 2; ++i) {
      std::copy_n(joined + (2 * row + i) * hidden, hidden, halves_[i].data() + row * hidden);
    }
  });
}

void MtpPass::Backward(const Inputs& in, const float* from_next, PassWorkspace& work, float* dh) {
  const PackedMtp& mtp = in.model.mtp[static_cast<size_t>(index_)];
  const int64_t hidden = parameters_.config().hidden;
  dnormed_.Reset(normed_.size());
  dx_.Reset(normed_.size());
  lse_.Reset(labels_.size());
  log_probs_.Reset(labels_.size());
  Parameter& head = parameters_.Find("head");
  CrossEntropy(context_, {
                             .head = head.packed.get(),
                             .x = normed_.data(),
                             .labels = labels_.data(),
                             .rows = rows_,
                             .scale = in.scale,
                             .log_probs = log_probs_.data(),
                             .lse = lse_.data(),
                             .dx = dnormed_.data(),
                             .dw = head.gradient,
                             .add_dw = true,
                         });
  if (from_next != nullptr) {
    SumSlots(context_, from_next, rows_, 1, hidden, true, dnormed_.data());
  }
  NormBackward(*final_norm_, mtp.final_norm, x_.data(), dnormed_.data(), false, dx_.data());
  block_.Backward(context_, mtp.block, in.batch, in.recompute, in.router_z_loss, work, dx_.data());
  AlignedBuffer<float>& djoined = work.stream;
  djoined.Reset(static_cast<size_t>(2 * rows_ * hidden));
  MatrixGradients(context_, *projection_, joined_.x(), dx_.data(), rows_, work.backward,
                  djoined.data());
  SplitGradient(djoined.data(), rows_);
  NormBackward(*hidden_norm_, mtp.hidden_norm, h_, halves_[1].data(), true, dh);
  NormBackward(*embed_norm_, mtp.embed_norm, embedded_.data(), halves_[0].data(), false,
               dx_.data());
  EmbeddingBackward(context_, {
                                  .ids = ids_.data(),
                                  .dy = dx_.data(),
                                  .rows = rows_,
                                  .n = hidden,
                                  .vocabulary = parameters_.config().vocab,
                                  .dweight = parameters_.Find("embedding").gradient,
                              });
}

}  // namespace ringlet
