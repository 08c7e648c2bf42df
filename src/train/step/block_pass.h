// BlockPass: a block forwards, then backwards, and what is kept in between.
#pragma once

#include <cstdint>
#include <vector>

#include "nn/block.h"
#include "train/recompute.h"
#include "train/step/block_backward.h"

namespace ringlet {

// What passes share, because blocks take turns: what is computed again, and values between the
// operators of a backward pass.
struct PassWorkspace {
  PassWorkspace() { feed_forward.scratch = mixer.scratch; }

  Workspace mixer;  // its scratch serves what is kept, too
  Workspace feed_forward;
  AlignedBuffer<float> stream;  // the residual stream of a block that is computed again
  AlignedBuffer<float> middle;
  BackwardWorkspace backward;
};

class BlockPass {
 public:
  explicit BlockPass(BlockParameters parameters) : parameters_(std::move(parameters)) {}

  // x [rows, hidden] updated in place. Keeps what `recompute` does not leave out.
  void Forward(Context& context, const Block& block, const Batch& batch, Recompute recompute,
               PassWorkspace& work, float* x);
  // After Forward with the same arguments: dx, the gradient of its output, becomes that of its
  // input. `router_z_loss` is the weight of the routers' z loss in what is derived.
  void Backward(Context& context, const Block& block, const Batch& batch, Recompute recompute,
                double router_z_loss, PassWorkspace& work, float* dx);

  // Rows that each expert had in the last Forward; empty without experts.
  const std::vector<int64_t>& load() const { return load_; }

 private:
  BlockParameters parameters_;
  AlignedBuffer<float> input_;
  AlignedBuffer<float> middle_;
  Workspace mixer_;
  Workspace feed_forward_;
  std::vector<int64_t> load_;
};

}  // namespace ringlet
