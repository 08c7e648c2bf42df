// Workspace: the intermediate values of a mixer or feed-forward block, reused from step to step
// and, where nothing is kept for a backward pass, from layer to layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned.h"
#include "nn/activations.h"

namespace ringlet {

// Values that nobody needs once a mixer or feed-forward block is done, in a backward pass neither.
struct BlockScratch {
  PreparedSet input;  // rows of the activations of these names
  PreparedSet inner;
  PreparedSet shared_inner;
  AlignedBuffer<float> output;            // of the mixer or feed-forward block
  AlignedBuffer<float> shared_projected;  // output of the shared expert
  std::vector<const std::byte*> block_pointers;
};

struct Workspace {
  // May be that of other workspaces which are not in use at the same time.
  std::shared_ptr<BlockScratch> scratch = std::make_shared<BlockScratch>();
  ActivationObserver* observer = nullptr;  // sees the inputs of every matrix; usually none
  Activations input;                       // of a mixer or feed-forward block
  Activations inner;                       // of its output or down projection
  AlignedBuffer<float> qkv;
  AlignedBuffer<float> q;
  AlignedBuffer<float> mixed;
  bool keep_lse = false;     // for the backward pass of softmax attention
  AlignedBuffer<float> lse;  // [rows, heads]
  AlignedBuffer<float> gate;
  AlignedBuffer<float> wide;  // gate | up
  AlignedBuffer<float> projected;
  AlignedBuffer<float> shared_wide;
  Activations shared_inner;
  AlignedBuffer<float> router_logits;
  AlignedBuffer<float> expert_weights;
  AlignedBuffer<int32_t> expert_ids;
  // Routed experts that some row chose, summed over layers and steps: what bench counts bytes by.
  int64_t experts_read = 0;
  // What is multiplied first after the part in progress: threads that would wait begin to read it.
  std::vector<const PackedMatrix*> next;
};

}  // namespace ringlet
