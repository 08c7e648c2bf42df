// The gradient of a block (nn/block.h) from what its forward pass left in the workspaces.
#pragma once

#include <cstddef>
#include <vector>

#include "nn/block.h"
#include "train/step/parameters.h"

namespace ringlet {

// The parameters of a block; null where it has none.
struct BlockParameters {
  struct Feed {
    Parameter* gate_up = nullptr;
    Parameter* down = nullptr;
  };
  Parameter* input_norm = nullptr;
  Parameter* post_norm = nullptr;
  Parameter* qkv = nullptr;
  Parameter* out = nullptr;
  Parameter* gate = nullptr;
  Parameter* q_norm = nullptr;
  Parameter* k_norm = nullptr;
  Parameter* group_norm = nullptr;
  Feed dense;
  Parameter* router = nullptr;
  std::vector<Feed> experts;
  Feed shared;
};

// Those of a layer of the configuration.
BlockParameters FindBlockParameters(ParameterSet& parameters, size_t layer);
// Those of the block of an MTP layer.
BlockParameters FindMtpParameters(ParameterSet& parameters, int64_t index);

// What a forward pass of a block left: the residual stream before each half, and the workspaces of
// the halves, which are two because both use the same fields.
struct BlockTrace {
  const float* input = nullptr;      // [rows, hidden], of ForwardMixer
  const float* middle = nullptr;     // [rows, hidden], of ForwardFeedForward
  const Workspace* mixer = nullptr;  // with keep_lse
  const Workspace* feed_forward = nullptr;
  double router_z_loss = 0;  // weight of the router's z loss in what is derived
};

// Values between the operators of a backward pass, reused from block to block.
struct BackwardWorkspace {
  PreparedRows prepared;
  AlignedBuffer<float> normed;  // gradient of a norm's output
  AlignedBuffer<float> part;    // what is added to it
  AlignedBuffer<float> inner;   // gradient of the output projection's input
  AlignedBuffer<float> mixed;
  AlignedBuffer<float> gate;
  AlignedBuffer<float> q;
  AlignedBuffer<float> k;
  AlignedBuffer<float> v;
  AlignedBuffer<float> qkv;
  AlignedBuffer<float> wide;
  AlignedBuffer<float> slots;
  AlignedBuffer<float> projected;
  AlignedBuffer<float> expert_weights;
  AlignedBuffer<float> logits;
};

// Gradients of y = x W^T: dx [rows, cols] from dy [rows, rows of W], overwritten; W's is added to.
void MatrixGradients(Context& context, const Parameter& w, const float* x, const float* dy,
                     int64_t rows, BackwardWorkspace& work, float* dx);

// dx [rows, hidden]: the gradient of the block's output, replaced by that of its input. Gradients
// of parameters are added to. `block` and `batch` are those of the forward pass; the batch's spans
// are whole documents, and their keys and values are still in place.
void Backward(Context& context, const Block& block, const BlockParameters& parameters,
              const Batch& batch, const BlockTrace& trace, BackwardWorkspace& work, float* dx);

}  // namespace ringlet
