#include "train/step/block_pass.h"

#include <algorithm>

namespace ringlet {
namespace {

// A copy that stays when the stream goes on.
void Keep(const float* stream, const Block& block, const Batch& batch, AlignedBuffer<float>& to) {
  to.Reset(static_cast<size_t>(batch.rows) * block.input_norm.size());
  std::copy_n(stream, to.size(), to.data());
}

}  // namespace

void BlockPass::Forward(Context& context, const Block& block, const Batch& batch,
                        Recompute recompute, PassWorkspace& work, float* x) {
  const bool all_again = recompute == Recompute::kBlock;
  Workspace& mixer = recompute == Recompute::kNone ? mixer_ : work.mixer;
  Workspace& feed_forward = all_again ? work.feed_forward : feed_forward_;
  mixer.keep_lse = true;
  mixer.scratch = feed_forward.scratch = work.mixer.scratch;
  Keep(x, block, batch, input_);
  ForwardMixer(context, block, batch, mixer, x);
  if (!all_again) Keep(x, block, batch, middle_);
  ForwardFeedForward(context, block, batch.rows, feed_forward, x);
  const Moe* moe = std::get_if<Moe>(&block.feed_forward);
  if (moe == nullptr) return;
  load_.assign(moe->experts.size(), 0);
  for (const int32_t expert : feed_forward.expert_ids.span()) ++load_[static_cast<size_t>(expert)];
}

void BlockPass::Backward(Context& context, const Block& block, const Batch& batch,
                         Recompute recompute, double router_z_loss, PassWorkspace& work,
                         float* dx) {
  const bool mixer_again = recompute != Recompute::kNone;
  const bool all_again = recompute == Recompute::kBlock;
  if (mixer_again) {
    Keep(input_.data(), block, batch, work.stream);
    ForwardMixer(context, block, batch, work.mixer, work.stream.data());
  }
  if (all_again) {
    Keep(work.stream.data(), block, batch, work.middle);
    ForwardFeedForward(context, block, batch.rows, work.feed_forward, work.stream.data());
  }
  const BlockTrace trace{
      .input = input_.data(),
      .middle = (all_again ? work.middle : middle_).data(),
      .mixer = mixer_again ? &work.mixer : &mixer_,
      .feed_forward = all_again ? &work.feed_forward : &feed_forward_,
      .router_z_loss = router_z_loss,
  };
  ringlet::Backward(context, block, parameters_, batch, trace, work.backward, dx);
}

}  // namespace ringlet
