// Workspace: the intermediate values of one step, reused from layer to layer and step to step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned.h"
#include "nn/activations.h"

namespace ringlet {

struct Workspace {
  ActivationObserver* observer = nullptr;  // sees the inputs of every matrix; usually none
  Activations input;                       // of a mixer or feed-forward block
  Activations inner;                       // of its output or down projection
  AlignedBuffer<float> block_output;
  AlignedBuffer<float> qkv;
  AlignedBuffer<float> q;
  AlignedBuffer<float> mixed;
  bool keep_lse = false;     // for the backward pass of softmax attention
  AlignedBuffer<float> lse;  // [rows, heads]
  AlignedBuffer<float> gate;
  AlignedBuffer<float> wide;  // gate | up
  AlignedBuffer<float> projected;
  AlignedBuffer<float> shared_wide;
  AlignedBuffer<float> shared_projected;
  Activations shared_inner;
  AlignedBuffer<float> router_logits;
  AlignedBuffer<float> expert_weights;
  AlignedBuffer<int32_t> expert_ids;
  // Routed experts that some row chose, summed over layers and steps: what bench counts bytes by.
  int64_t experts_read = 0;
  std::vector<const std::byte*> block_pointers;
  // What is multiplied first after the part in progress: threads that would wait begin to read it.
  std::vector<const PackedMatrix*> next;
};

}  // namespace ringlet
