#include "nn/feed_forward.h"

#include <array>

#include "base/memory.h"
#include "ops/parallel_rows.h"
#include "ops/router/router.h"
#include "ops/swiglu/swiglu.h"

namespace ringlet {
namespace {

// Tells the observer which of the rows x [.., k] an expert's matrix multiplies: slot / per_row
// each.
void ObserveExpert(const PackedMatrix& weights, const std::vector<int64_t>& slots, int64_t per_row,
                   const float* x, const Workspace& work) {
  if (work.observer == nullptr) return;
  std::vector<const float*> rows;
  for (const int64_t slot : slots) rows.push_back(x + slot / per_row * weights.k);
  work.observer->Observe(weights, rows);
}

void Route(Context& context, const Moe& moe, int64_t rows, Workspace& work) {
  const auto experts = static_cast<int64_t>(moe.experts.size());
  work.router_logits.Reset(static_cast<size_t>(rows * experts));
  work.expert_ids.Reset(static_cast<size_t>(rows * moe.top_k));
  work.expert_weights.Reset(static_cast<size_t>(rows * moe.top_k));
  const PreparedRows& input = work.input.For(context, moe.router, work.observer);
  // The experts are not known yet.
  if (moe.shared) ReadAhead(context, std::array{&moe.shared->gate_up});
  Gemm(context, moe.router, input, work.router_logits.data());
  Router(context, {
                      .logits = work.router_logits.data(),
                      .bias = moe.expert_bias.empty() ? nullptr : moe.expert_bias.data(),
                      .rows = rows,
                      .experts = experts,
                      .top_k = moe.top_k,
                      .groups = moe.groups,
                      .top_groups = moe.top_groups,
                      .softmax = moe.softmax_score,
                      .normalize = moe.normalize,
                      .scale = moe.routed_scale,
                      .ids = work.expert_ids.data(),
                      .weights = work.expert_weights.data(),
                  });
}

// Starts reading the chosen experts from disk, all at once: a disk is fast with many requests, and
// slow with one after the other, which is what waiting at each first use would be.
void ReadChosen(const Moe& moe, const std::vector<std::vector<int64_t>>& slots) {
  for (size_t e = 0; e < slots.size(); ++e) {
    if (slots[e].empty()) continue;
    ReadSoon(moe.experts[e].gate_up.data.span());
    ReadSoon(moe.experts[e].down.data.span());
  }
}

// y[row] = sum of weight * expert output, then + shared.
void Combine(Context& context, const Moe& moe, int64_t rows, int64_t hidden, const Workspace& work,
             float* y) {
  ParallelRows(context, rows, hidden * (moe.top_k + 1), [&](int64_t row) {
    float* out = y + row * hidden;
    for (int64_t i = 0; i < moe.top_k; ++i) {
      const int64_t slot = row * moe.top_k + i;
      const float weight = work.expert_weights[static_cast<size_t>(slot)];
      const float* expert = work.projected.data() + slot * hidden;
      for (int64_t c = 0; c < hidden; ++c) {
        const float term = weight * expert[c];
        out[c] = i == 0 ? term : out[c] + term;
      }
    }
    if (!moe.shared) return;
    const float* shared = work.scratch->shared_projected.data() + row * hidden;
    for (int64_t c = 0; c < hidden; ++c) out[c] += shared[c];
  });
}

}  // namespace

std::vector<const PackedMatrix*> FirstMatrices(const Mlp& mlp) { return {&mlp.gate_up}; }

std::vector<const PackedMatrix*> FirstMatrices(const Moe& moe) { return {&moe.router}; }

std::vector<std::vector<int64_t>> SlotsByExpert(const Moe& moe, const int32_t* ids, int64_t rows) {
  std::vector<std::vector<int64_t>> slots(moe.experts.size());
  for (int64_t slot = 0; slot < rows * moe.top_k; ++slot) {
    slots[static_cast<size_t>(ids[slot])].push_back(slot);
  }
  return slots;
}

void Forward(Context& context, const Mlp& mlp, Workspace& work, float* y) {
  const int64_t rows = work.input.rows();
  work.wide.Reset(static_cast<size_t>(rows * mlp.gate_up.n));
  const PreparedRows& input = work.input.For(context, mlp.gate_up, work.observer);
  ReadAhead(context, std::array{&mlp.down});
  Gemm(context, mlp.gate_up, input, work.wide.data());
  work.inner.Assign(SwiGluRows(context.isa, work.wide.data(), rows, mlp.ffn()),
                    work.scratch->inner);
  const PreparedRows& inner = work.inner.For(context, mlp.down, work.observer);
  ReadAhead(context, work.next);
  Gemm(context, mlp.down, inner, y);
}

void Forward(Context& context, const Moe& moe, Workspace& work, float* y) {
  const int64_t rows = work.input.rows();
  Route(context, moe, rows, work);
  const std::vector<std::vector<int64_t>> slots = SlotsByExpert(moe, work.expert_ids.data(), rows);
  if (moe.read_ahead) ReadChosen(moe, slots);
  const int64_t total = rows * moe.top_k;
  const int64_t wide = moe.experts[0].gate_up.n;
  const int64_t ffn = moe.experts[0].ffn();
  const int64_t hidden = moe.experts[0].down.n;
  work.wide.Reset(static_cast<size_t>(total * wide));
  work.projected.Reset(static_cast<size_t>(total * hidden));

  // Routed and shared experts run in the same parallel regions.
  std::vector<GemmJob> jobs;
  std::vector<const PackedMatrix*> down;
  for (size_t e = 0; e < slots.size(); ++e) {
    if (slots[e].empty()) continue;
    ++work.experts_read;
    down.push_back(&moe.experts[e].down);
    const PackedMatrix& weights = moe.experts[e].gate_up;
    const PreparedRows& input = work.input.For(context, weights.format);
    ObserveExpert(weights, slots[e], moe.top_k, work.input.x(), work);
    GemmJob job;
    job.weights = &weights;
    for (const int64_t slot : slots[e]) {
      job.inputs.push_back(input.row(slot / moe.top_k));
      job.outputs.push_back(work.wide.data() + slot * wide);
    }
    jobs.push_back(std::move(job));
  }
  if (moe.shared) {
    work.shared_wide.Reset(static_cast<size_t>(rows * moe.shared->gate_up.n));
    jobs.push_back(WholeJob(moe.shared->gate_up,
                            work.input.For(context, moe.shared->gate_up, work.observer),
                            work.shared_wide.data()));
    down.push_back(&moe.shared->down);
  }
  ReadAhead(context, down);
  Gemm(context, jobs);

  work.inner.Assign(SwiGluRows(context.isa, work.wide.data(), total, ffn), work.scratch->inner);
  jobs.clear();
  for (size_t e = 0; e < slots.size(); ++e) {
    if (slots[e].empty()) continue;
    const PackedMatrix& weights = moe.experts[e].down;
    const PreparedRows& inner = work.inner.For(context, weights.format);
    ObserveExpert(weights, slots[e], 1, work.inner.x(), work);
    GemmJob job;
    job.weights = &weights;
    for (const int64_t slot : slots[e]) {
      job.inputs.push_back(inner.row(slot));
      job.outputs.push_back(work.projected.data() + slot * hidden);
    }
    jobs.push_back(std::move(job));
  }
  if (moe.shared) {
    const int64_t shared_ffn = moe.shared->ffn();
    work.scratch->shared_projected.Reset(static_cast<size_t>(rows * hidden));
    work.shared_inner.Assign(SwiGluRows(context.isa, work.shared_wide.data(), rows, shared_ffn),
                             work.scratch->shared_inner);
    jobs.push_back(WholeJob(moe.shared->down,
                            work.shared_inner.For(context, moe.shared->down, work.observer),
                            work.scratch->shared_projected.data()));
  }
  ReadAhead(context, work.next);
  Gemm(context, jobs);
  Combine(context, moe, rows, hidden, work, y);
}

}  // namespace ringlet
