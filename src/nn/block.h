// Block: one pre-norm transformer layer, x += mixer(norm(x)); x += feed_forward(norm(x)).
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "nn/batch.h"
#include "nn/feed_forward.h"
#include "nn/mixer.h"

namespace ringlet {

struct Block {
  std::vector<float> input_norm;  // [hidden]
  std::vector<float> post_norm;   // [hidden]
  std::variant<SoftmaxMixer, LightningMixer> mixer;
  std::variant<Mlp, Moe> feed_forward;
  float eps = 1e-6f;
};

// What Forward multiplies first, in order.
std::vector<const PackedMatrix*> FirstMatrices(const Block& block);

// The halves of Forward: x += part(norm(x)).
void ForwardMixer(Context& context, const Block& block, const Batch& batch, Workspace& work,
                  float* x);
void ForwardFeedForward(Context& context, const Block& block, int64_t rows, Workspace& work,
                        float* x);

// x [rows, hidden] fp32, the residual stream, updated in place. work.next on entry: what is
// multiplied first after the block.
void Forward(Context& context, const Block& block, const Batch& batch, Workspace& work, float* x);

}  // namespace ringlet
