// MtpPass: a layer that predicts one token further than what is before it ("multi-token
// prediction"), forwards and backwards.
//
//   input      projection [norm(embedding of the token m + 1 places on) ; norm(h)] for layer m,
//   with
//              h the model's output after its final norm, or that of the layer before
//   block      softmax attention and feed-forward, at the positions of h's rows
//   loss       of the token m + 2 places on, through the model's own head
// Rows whose tokens would lie beyond their document have no label; as the last rows of it they are
// seen by no row that has one.
// Source: the MTP module of Ling 2.0 (embedding half first, one head and embedding for all).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/packed.h"
#include "train/step/block_pass.h"
#include "train/step/parameters.h"
#include "train/step/training_batch.h"

namespace ringlet {

class MtpPass {
 public:
  // `parameters` must outlive the pass.
  MtpPass(Context& context, ParameterSet& parameters, int64_t index);

  struct Inputs {
    const PackedModel& model;
    const TrainingBatch& tokens;
    const Batch& batch;
    Recompute recompute = Recompute::kNone;
    double router_z_loss = 0;
    float scale = 1;  // of the layer's losses
  };
  // From h [rows, hidden], which stays in place until Backward.
  void Forward(const Inputs& in, const float* h, PassWorkspace& work);
  // output(), the layer's own rows after its final norm.
  const float* output() const { return normed_.data(); }
  // The layer's loss, and its gradients. `from_next`: what the layer behind adds to the gradient of
  // output(), or null. dh += the gradient of h.
  void Backward(const Inputs& in, const float* from_next, PassWorkspace& work, float* dh);

  // ln p of each labelled row's token, 0 for the others.
  std::span<const double> log_probs() const { return log_probs_.span(); }
  int64_t labelled() const { return labelled_; }
  const std::vector<int64_t>& load() const { return block_.load(); }

 private:
  // Ids and labels of `tokens`, so many places on.
  void Shift(const TrainingBatch& tokens);
  void NormBackward(const Parameter& norm, const std::vector<float>& weight, const float* x,
                    const float* dy, bool add, float* dx) const;
  void SplitGradient(const float* joined, int64_t rows);

  Context& context_;
  ParameterSet& parameters_;
  int64_t index_;
  Parameter* embed_norm_;
  Parameter* hidden_norm_;
  Parameter* final_norm_;
  Parameter* projection_;
  BlockPass block_;
  std::vector<int32_t> ids_;
  std::vector<int32_t> labels_;
  int64_t labelled_ = 0;
  int64_t rows_ = 0;
  const float* h_ = nullptr;
  AlignedBuffer<float> embedded_;
  Activations joined_;      // [rows, 2 hidden]
  AlignedBuffer<float> x_;  // the block's output
  AlignedBuffer<float> normed_;
  AlignedBuffer<float> dnormed_;
  AlignedBuffer<float> dx_;
  AlignedBuffer<float> halves_[2];  // of the gradient of joined_
  AlignedBuffer<float> lse_;
  AlignedBuffer<double> log_probs_;
};

}  // namespace ringlet
