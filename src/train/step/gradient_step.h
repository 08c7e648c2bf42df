// One pass of training: the losses of a batch of documents and the gradients of every parameter.
//
// The forward pass is that of the engine (nn/block.h on the same packed weights), so the
// log-probabilities are the engine's, byte for byte. Gradients do not depend on the number of
// threads or on what is kept and what is computed again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "train/recompute.h"
#include "train/step/block_pass.h"
#include "train/step/mtp_pass.h"
#include "train/step/parameters.h"
#include "train/step/training_batch.h"

namespace ringlet {

struct GradientOptions {
  Recompute recompute = Recompute::kNone;
  float z_loss = 0.0f;
  double router_z_loss = 0;  // summed over rows and layers with experts
  double mtp_weight = 0;     // of the mean of the MTP layers' losses; 0: they are left alone
};

class GradientStep {
 public:
  // `parameters` must outlive the step.
  GradientStep(Context& context, ParameterSet& parameters, const GradientOptions& options);
  ~GradientStep();

  // Adds to every gradient that of scale * (sum of the losses of labelled tokens, and what the
  // options add to it). Tokens and labels are below the vocabulary's size.
  void Run(const PackedModel& model, const TrainingBatch& batch, float scale);
  // Only the losses.
  void RunForward(const PackedModel& model, const TrainingBatch& batch);

  // Of the last pass: ln p(label) for each labelled token, 0 for the others; and how many rows each
  // expert had.
  std::span<const double> log_probs() const { return log_probs_.span(); }
  // [MoE layer][expert]; MTP layers last, if they were passed.
  const std::vector<std::vector<int64_t>>& load() const { return load_; }
  // Of the MTP layers in the last Run: sum of the losses and how many there were.
  double mtp_loss() const { return mtp_loss_; }
  int64_t mtp_labelled() const { return mtp_labelled_; }

 private:
  struct Storage;
  void Embed(const PackedModel& model, const TrainingBatch& batch, Recompute recompute);
  void ForwardBlocks(const PackedModel& model, Recompute recompute);
  void Normalize(const PackedModel& model);
  void LossAndGradient(const PackedModel& model, const TrainingBatch& batch, float scale);
  void PredictFurther(const PackedModel& model, const TrainingBatch& batch, float scale);
  void BackwardBlocks(const PackedModel& model, float scale);
  void CountLoad(const std::vector<int64_t>& load);

  Context& context_;
  ParameterSet& parameters_;
  GradientOptions options_;
  std::vector<BlockPass> blocks_;
  std::vector<MtpPass> mtp_;
  PassWorkspace work_;
  std::unique_ptr<Storage> storage_;
  Batch batch_;
  AlignedBuffer<float> x_;
  AlignedBuffer<float> dx_;
  AlignedBuffer<float> normed_;
  AlignedBuffer<float> dnormed_;
  AlignedBuffer<float> cos_sin_;
  AlignedBuffer<float> lse_;
  AlignedBuffer<double> log_probs_;
  AlignedBuffer<float> mtp_gradients_[2];  // of the outputs of MTP layers, in turn
  std::vector<std::vector<int64_t>> load_;
  double mtp_loss_ = 0;
  int64_t mtp_labelled_ = 0;
};

}  // namespace ringlet
