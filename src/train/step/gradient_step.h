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
#include "train/step/block_backward.h"
#include "train/step/parameters.h"

namespace ringlet {

// Documents one after another. State, attention and positions restart at each.
struct TrainingBatch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> labels;  // of each token: what should follow, or -1
  std::vector<int64_t> starts;  // of the documents, ascending, the first 0

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
};

struct GradientOptions {
  Recompute recompute = Recompute::kNone;
  float z_loss = 0.0f;
};

class GradientStep {
 public:
  // `parameters` must outlive the step.
  GradientStep(Context& context, ParameterSet& parameters, const GradientOptions& options);
  ~GradientStep();

  // Adds to every gradient that of scale * (sum of the losses of labelled tokens). Tokens and
  // labels are below the vocabulary's size.
  void Run(const PackedModel& model, const TrainingBatch& batch, float scale);
  // Only the losses.
  void RunForward(const PackedModel& model, const TrainingBatch& batch);

  // Of the last pass: ln p(label) for each labelled token, 0 for the others; and how many rows each
  // expert had.
  std::span<const double> log_probs() const { return log_probs_.span(); }
  // [MoE layer][expert].
  const std::vector<std::vector<int64_t>>& load() const { return load_; }

 private:
  struct Storage;
  void Embed(const PackedModel& model, const TrainingBatch& batch, Recompute recompute);
  void ForwardBlocks(const PackedModel& model, Recompute recompute);
  void Normalize(const PackedModel& model);
  void LossAndGradient(const PackedModel& model, const TrainingBatch& batch, float scale);
  void BackwardBlocks(const PackedModel& model);
  void Keep(const float* stream, AlignedBuffer<float>& to) const;
  void CountLoad(const Block& block, const Workspace& work);

  Context& context_;
  ParameterSet& parameters_;
  GradientOptions options_;
  std::vector<BlockParameters> block_parameters_;  // of each layer
  std::unique_ptr<Storage> storage_;
  Batch batch_;
  // Of a block: what is not kept stays empty, and is in again_ while the block's turn lasts.
  struct Kept {
    AlignedBuffer<float> input;
    AlignedBuffer<float> middle;
    Workspace mixer;
    Workspace feed_forward;
  };
  std::vector<Kept> kept_;
  Kept again_;
  BackwardWorkspace work_;
  AlignedBuffer<float> x_;
  AlignedBuffer<float> dx_;
  AlignedBuffer<float> normed_;
  AlignedBuffer<float> dnormed_;
  AlignedBuffer<float> cos_sin_;
  AlignedBuffer<float> lse_;
  AlignedBuffer<double> log_probs_;
  std::vector<std::vector<int64_t>> load_;
};

}  // namespace ringlet
