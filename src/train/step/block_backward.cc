#include "train/step/block_backward.h"

#include <fmt/format.h>

#include "ops/attention/attention_backward.h"
#include "ops/gemm/gemm_backward.h"
#include "ops/lightning/lightning_backward.h"
#include "ops/moe/combine_backward.h"
#include "ops/norm/norm_backward.h"
#include "ops/qkv/qkv_backward.h"
#include "ops/router/router_backward.h"
#include "ops/swiglu/swiglu_backward.h"

namespace ringlet {
namespace {

float* Sized(AlignedBuffer<float>& buffer, int64_t count) {
  buffer.Reset(static_cast<size_t>(count));
  return buffer.data();
}

// Gradients of one pass through a matrix: dx = dy W, and dW += dy^T x.
class MatrixBackward {
 public:
  MatrixBackward(Context& context, BackwardWorkspace& work) : context_(context), work_(work) {}

  void Run(const Parameter& w, const float* x, const float* dy, int64_t rows, float* dx) const {
    const PackedMatrix& transposed = w.packed->transposed();
    PrepareRows(context_, transposed.format, dy, rows, w.rows, &work_.prepared);
    Gemm(context_, transposed, work_.prepared, dx);
    const WeightGradientJob job = WholeGradientJob(dy, x, rows, w.rows, w.cols, w.gradient);
    WeightGradient(context_, transposed.format, true, std::span(&job, 1));
  }

  // The same, and dx += what Run makes of it.
  void RunAndAdd(const Parameter& w, const float* x, const float* dy, int64_t rows,
                 float* dx) const {
    float* part = Sized(work_.part, rows * w.cols);
    Run(w, x, dy, rows, part);
    SumSlots(context_, part, rows, 1, w.cols, true, dx);
  }

 private:
  Context& context_;
  BackwardWorkspace& work_;
};

// Everything of a mixer's backward pass but the attention itself.
template <typename Mixer>
class MixerBackward {
 public:
  MixerBackward(Context& context, const Mixer& mixer, const BlockParameters& parameters,
                const Batch& batch, const Workspace& trace, BackwardWorkspace& work)
      : context_(context),
        mixer_(mixer),
        parameters_(parameters),
        batch_(batch),
        trace_(trace),
        work_(work),
        matrix_(context, work) {}

  // dnormed from dy.
  void Run(const float* dy, float* dnormed) {
    const MixerSpec& spec = mixer_.spec;
    const int64_t width = spec.heads * spec.kv.head_dim;
    const int64_t kv_width = spec.kv.kv_heads * spec.kv.head_dim;
    float* dinner = Sized(work_.inner, batch_.rows * width);
    matrix_.Run(*parameters_.out, trace_.inner.x(), dy, batch_.rows, dinner);
    float* dq = Sized(work_.q, batch_.rows * width);
    float* dk = Sized(work_.k, batch_.rows * kv_width);
    float* dv = Sized(work_.v, batch_.rows * kv_width);
    Attend(mixer_, dinner, dq, dk, dv);
    float* dqkv = Sized(work_.qkv, batch_.rows * mixer_.qkv.n);
    QkvBackward(context_, {
                              .heads = spec.heads,
                              .kv_heads = spec.kv.kv_heads,
                              .head_dim = spec.kv.head_dim,
                              .rotary_dim = spec.rotary_dim,
                              .q_norm = mixer_.q_norm.empty() ? nullptr : mixer_.q_norm.data(),
                              .k_norm = mixer_.k_norm.empty() ? nullptr : mixer_.k_norm.data(),
                              .eps = spec.eps,
                              .rows = batch_.rows,
                              .qkv = trace_.qkv.data(),
                              .cos_sin = batch_.cos_sin,
                              .dq = dq,
                              .dk = dk,
                              .dv = dv,
                              .dqkv = dqkv,
                              .dq_norm = Gradient(parameters_.q_norm),
                              .dk_norm = Gradient(parameters_.k_norm),
                              .add_weights = true,
                          });
    const float* normed = trace_.input.x();
    matrix_.Run(*parameters_.qkv, normed, dqkv, batch_.rows, dnormed);
    if (parameters_.gate != nullptr) {
      matrix_.RunAndAdd(*parameters_.gate, normed, work_.gate.data(), batch_.rows, dnormed);
    }
  }

 private:
  static float* Gradient(Parameter* parameter) {
    return parameter == nullptr ? nullptr : parameter->gradient;
  }

  // The blocks of a span, for this layer.
  std::vector<const std::byte*> BlocksOf(std::span<const LayeredBlock> blocks) const {
    std::vector<const std::byte*> layer;
    for (const LayeredBlock& block : blocks) layer.push_back(block.layer(mixer_.layer));
    return layer;
  }

  // dq, dk and dv, and work_.gate, from the gradient of the output projection's input.
  void Attend(const LightningMixer& mixer, const float* dinner, float* dq, float* dk, float* dv) {
    const MixerSpec& spec = mixer.spec;
    const int64_t width = spec.heads * spec.kv.head_dim;
    float* dmixed = Sized(work_.mixed, batch_.rows * width);
    GroupNormGateBackward(context_, {
                                        .x = trace_.mixed.data(),
                                        .gate = trace_.gate.data(),
                                        .weight = mixer.group_norm.data(),
                                        .dy = dinner,
                                        .dx = dmixed,
                                        .dgate = Sized(work_.gate, batch_.rows * width),
                                        .dweight = parameters_.group_norm->gradient,
                                        .rows = batch_.rows,
                                        .n = width,
                                        .groups = mixer.groups,
                                        .eps = spec.eps,
                                        .add_dweight = true,
                                    });
    std::vector<std::vector<const std::byte*>> blocks;
    std::vector<LightningBackwardFeed> feeds;
    for (const BatchSpan& span : batch_.spans) {
      const int64_t at = span.first_row;
      blocks.push_back(BlocksOf(span.chunks));
      feeds.push_back({
          .q = trace_.q.data() + at * width,
          .dout = dmixed + at * width,
          .rows = span.rows,
          .chunks = blocks.back().data(),
          .dq = dq + at * width,
          .dk = dk + at * width,
          .dv = dv + at * width,
      });
    }
    LightningBackward(
        context_,
        {.kv = spec.kv, .scale = spec.QueryScale(), .decay = &mixer.decay, .feeds = feeds});
  }

  void Attend(const SoftmaxMixer& mixer, const float* dinner, float* dq, float* dk, float* dv) {
    const MixerSpec& spec = mixer.spec;
    const int64_t width = spec.heads * spec.kv.head_dim;
    const int64_t kv_width = spec.kv.kv_heads * spec.kv.head_dim;
    std::vector<std::vector<const std::byte*>> blocks;
    std::vector<AttentionBackwardFeed> feeds;
    for (const BatchSpan& span : batch_.spans) {
      const int64_t at = span.first_row;
      blocks.push_back(BlocksOf(span.pages));
      feeds.push_back({
          .q = trace_.q.data() + at * width,
          .out = trace_.mixed.data() + at * width,
          .lse = trace_.lse.data() + at * spec.heads,
          .dout = dinner + at * width,
          .rows = span.rows,
          .blocks = blocks.back().data(),
          .dq = dq + at * width,
          .dk = dk + at * kv_width,
          .dv = dv + at * kv_width,
      });
    }
    AttentionBackward(
        context_, {.heads = spec.heads, .kv = spec.kv, .scale = spec.QueryScale(), .feeds = feeds});
  }

  Context& context_;
  const Mixer& mixer_;
  const BlockParameters& parameters_;
  const Batch& batch_;
  const Workspace& trace_;
  BackwardWorkspace& work_;
  MatrixBackward matrix_;
};

// dx from dy for rows that all go through one gated block.
void MlpBackward(Context& context, const BlockParameters::Feed& mlp, const float* normed,
                 const float* wide, const float* inner, const float* dy, int64_t rows,
                 BackwardWorkspace& work, float* dx, bool add) {
  const MatrixBackward matrix(context, work);
  const int64_t ffn = mlp.down->cols;
  float* dinner = Sized(work.inner, rows * ffn);
  matrix.Run(*mlp.down, inner, dy, rows, dinner);
  float* dwide = Sized(work.wide, rows * 2 * ffn);
  SwiGluBackward(context, wide, dinner, rows, ffn, dwide);
  if (add) {
    matrix.RunAndAdd(*mlp.gate_up, normed, dwide, rows, dx);
  } else {
    matrix.Run(*mlp.gate_up, normed, dwide, rows, dx);
  }
}

class MoeBackward {
 public:
  MoeBackward(Context& context, const Moe& moe, const BlockParameters& parameters, int64_t rows,
              const BlockTrace& trace, BackwardWorkspace& work)
      : context_(context),
        moe_(moe),
        parameters_(parameters),
        rows_(rows),
        trace_(*trace.feed_forward),
        router_z_loss_(trace.router_z_loss),
        work_(work),
        slots_(SlotsByExpert(moe, trace_.expert_ids.data(), rows)) {}

  void Run(const float* dy, float* dnormed) {
    const int64_t total = rows_ * moe_.top_k;
    const int64_t hidden = parameters_.router->cols;
    const int64_t ffn = moe_.experts[0].ffn();
    float* dprojected = Sized(work_.projected, total * hidden);
    float* dweights = Sized(work_.expert_weights, total);
    CombineBackward(context_, {
                                  .dout = dy,
                                  .projected = trace_.projected.data(),
                                  .weights = trace_.expert_weights.data(),
                                  .rows = rows_,
                                  .top_k = moe_.top_k,
                                  .n = hidden,
                                  .dprojected = dprojected,
                                  .dweights = dweights,
                              });
    float* dinner = Sized(work_.inner, total * ffn);
    Experts(&BlockParameters::Feed::down, trace_.inner.x(), 1, dprojected, dinner);
    float* dwide = Sized(work_.wide, total * 2 * ffn);
    SwiGluBackward(context_, trace_.wide.data(), dinner, total, ffn, dwide);
    float* dslots = Sized(work_.slots, total * hidden);
    Experts(&BlockParameters::Feed::gate_up, trace_.input.x(), moe_.top_k, dwide, dslots);
    SumSlots(context_, dslots, rows_, moe_.top_k, hidden, false, dnormed);
    if (moe_.shared) {
      MlpBackward(context_, parameters_.shared, trace_.input.x(), trace_.shared_wide.data(),
                  trace_.shared_inner.x(), dy, rows_, work_, dnormed, true);
    }
    Route(dweights, dnormed);
  }

 private:
  // Gradients of one matrix of every expert. Slot s multiplies row s / per_row of x.
  void Experts(Parameter* BlockParameters::Feed::*which, const float* x, int64_t per_row,
               const float* dy, float* dx) {
    const int64_t n = (parameters_.experts[0].*which)->rows;
    const int64_t k = (parameters_.experts[0].*which)->cols;
    const PackedFormat format = (parameters_.experts[0].*which)->packed->transposed().format;
    PrepareRows(context_, format, dy, rows_ * moe_.top_k, n, &work_.prepared);
    std::vector<GemmJob> jobs;
    std::vector<WeightGradientJob> gradients;
    for (size_t e = 0; e < slots_.size(); ++e) {
      if (slots_[e].empty()) continue;
      const Parameter& w = *(parameters_.experts[e].*which);
      GemmJob& job = jobs.emplace_back();
      job.weights = &w.packed->transposed();
      WeightGradientJob& gradient = gradients.emplace_back();
      gradient.n = n;
      gradient.k = k;
      gradient.dw = w.gradient;
      for (const int64_t slot : slots_[e]) {
        job.inputs.push_back(work_.prepared.row(slot));
        job.outputs.push_back(dx + slot * k);
        gradient.dy.push_back(dy + slot * n);
        gradient.x.push_back(x + slot / per_row * k);
      }
    }
    Gemm(context_, jobs);
    WeightGradient(context_, format, true, gradients);
  }

  void Route(const float* dweights, float* dnormed) {
    const auto experts = static_cast<int64_t>(moe_.experts.size());
    float* dlogits = Sized(work_.logits, rows_ * experts);
    RouterBackward(context_, {
                                 .logits = trace_.router_logits.data(),
                                 .ids = trace_.expert_ids.data(),
                                 .dweights = dweights,
                                 .rows = rows_,
                                 .experts = experts,
                                 .top_k = moe_.top_k,
                                 .softmax = moe_.softmax_score,
                                 .normalize = moe_.normalize,
                                 .scale = moe_.routed_scale,
                                 .z_loss = router_z_loss_,
                                 .dlogits = dlogits,
                             });
    MatrixBackward(context_, work_)
        .RunAndAdd(*parameters_.router, trace_.input.x(), dlogits, rows_, dnormed);
  }

  Context& context_;
  const Moe& moe_;
  const BlockParameters& parameters_;
  int64_t rows_;
  const Workspace& trace_;
  double router_z_loss_;
  BackwardWorkspace& work_;
  std::vector<std::vector<int64_t>> slots_;
};

// dx += the gradient through norm, for a half whose norm's output has gradient dnormed.
void NormBackward(Context& context, const Parameter& norm, const std::vector<float>& weight,
                  float eps, const float* x, const float* dnormed, int64_t rows, float* dx) {
  RmsNormBackward(context, {
                               .x = x,
                               .weight = weight.data(),
                               .dy = dnormed,
                               .dx = dx,
                               .dweight = norm.gradient,
                               .rows = rows,
                               .n = static_cast<int64_t>(weight.size()),
                               .eps = eps,
                               .add_dx = true,
                               .add_dweight = true,
                           });
}

BlockParameters::Feed FindFeed(ParameterSet& parameters, const std::string& prefix) {
  return {&parameters.Find(prefix + "gate_up"), &parameters.Find(prefix + "down")};
}

BlockParameters Find(ParameterSet& parameters, const std::string& prefix, MixerKind mixer,
                     FfnKind ffn) {
  const ModelConfig& config = parameters.config();
  const auto find = [&](const char* name) { return &parameters.Find(prefix + name); };
  BlockParameters found;
  found.input_norm = find("input_norm");
  found.post_norm = find("post_norm");
  found.qkv = find("attention.qkv");
  found.out = find("attention.out");
  if (config.qk_norm) {
    found.q_norm = find("attention.q_norm");
    found.k_norm = find("attention.k_norm");
  }
  if (mixer == MixerKind::kLightning) {
    found.gate = find("attention.gate");
    found.group_norm = find("attention.group_norm");
  }
  if (ffn == FfnKind::kDense) {
    found.dense = FindFeed(parameters, prefix);
    return found;
  }
  found.router = find("router");
  for (int64_t e = 0; e < config.moe.experts; ++e) {
    found.experts.push_back(FindFeed(parameters, fmt::format("{}experts.{}.", prefix, e)));
  }
  if (config.moe.shared_ffn > 0) found.shared = FindFeed(parameters, prefix + "shared.");
  return found;
}

}  // namespace

BlockParameters FindBlockParameters(ParameterSet& parameters, size_t layer) {
  const LayerSpec& spec = parameters.config().layers[layer];
  return Find(parameters, fmt::format("layers.{}.", layer), spec.mixer, spec.ffn);
}

BlockParameters FindMtpParameters(ParameterSet& parameters, int64_t index) {
  const FfnKind ffn = parameters.config().moe.experts > 0 ? FfnKind::kMoe : FfnKind::kDense;
  return Find(parameters, fmt::format("mtp.{}.", index), MixerKind::kSoftmax, ffn);
}

void MatrixGradients(Context& context, const Parameter& w, const float* x, const float* dy,
                     int64_t rows, BackwardWorkspace& work, float* dx) {
  MatrixBackward(context, work).Run(w, x, dy, rows, dx);
}

void Backward(Context& context, const Block& block, const BlockParameters& parameters,
              const Batch& batch, const BlockTrace& trace, BackwardWorkspace& work, float* dx) {
  const int64_t rows = batch.rows;
  const auto hidden = static_cast<int64_t>(block.input_norm.size());
  float* dnormed = Sized(work.normed, rows * hidden);
  const Workspace& ffn = *trace.feed_forward;
  if (const Moe* moe = std::get_if<Moe>(&block.feed_forward)) {
    MoeBackward(context, *moe, parameters, rows, trace, work).Run(dx, dnormed);
  } else {
    MlpBackward(context, parameters.dense, ffn.input.x(), ffn.wide.data(), ffn.inner.x(), dx, rows,
                work, dnormed, false);
  }
  NormBackward(context, *parameters.post_norm, block.post_norm, block.eps, trace.middle, dnormed,
               rows, dx);
  std::visit(
      [&](const auto& mixer) {
        MixerBackward(context, mixer, parameters, batch, *trace.mixer, work).Run(dx, dnormed);
      },
      block.mixer);
  NormBackward(context, *parameters.input_norm, block.input_norm, block.eps, trace.input, dnormed,
               rows, dx);
}

}  // namespace ringlet
