#include "nn/block.h"

#include "ops/norm/norm.h"
#include "ops/parallel_rows.h"

namespace ringlet {
namespace {

void AddRows(Context& context, int64_t rows, int64_t n, const float* y, float* x) {
  ParallelRows(context, rows, n, [&](int64_t row) {
    for (int64_t i = row * n; i < (row + 1) * n; ++i) x[i] += y[i];
  });
}

// x += block(norm(x)) for a mixer or feed-forward block.
template <typename Apply>
void Residual(Context& context, const std::vector<float>& weight, float eps, int64_t rows,
              Workspace& work, float* x, const Apply& apply) {
  const auto n = static_cast<int64_t>(weight.size());
  AlignedBuffer<float>& y = work.scratch->output;
  y.Reset(static_cast<size_t>(rows * n));
  work.input.Assign(
      RmsNormRows(context.isa, {.x = x, .weight = weight.data(), .rows = rows, .n = n, .eps = eps}),
      work.scratch->input);
  apply(y.data());
  AddRows(context, rows, n, y.data(), x);
}

}  // namespace

std::vector<const PackedMatrix*> FirstMatrices(const Block& block) {
  return std::visit([](const auto& mixer) { return FirstMatrices(mixer); }, block.mixer);
}

void ForwardMixer(Context& context, const Block& block, const Batch& batch, Workspace& work,
                  float* x) {
  Residual(context, block.input_norm, block.eps, batch.rows, work, x, [&](float* y) {
    std::visit([&](const auto& mixer) { Forward(context, mixer, batch, work, y); }, block.mixer);
  });
}

void ForwardFeedForward(Context& context, const Block& block, int64_t rows, Workspace& work,
                        float* x) {
  Residual(context, block.post_norm, block.eps, rows, work, x, [&](float* y) {
    std::visit([&](const auto& ffn) { Forward(context, ffn, work, y); }, block.feed_forward);
  });
}

void Forward(Context& context, const Block& block, const Batch& batch, Workspace& work, float* x) {
  std::vector<const PackedMatrix*> after = std::move(work.next);
  work.next = std::visit([](const auto& ffn) { return FirstMatrices(ffn); }, block.feed_forward);
  ForwardMixer(context, block, batch, work, x);
  work.next = std::move(after);
  ForwardFeedForward(context, block, batch.rows, work, x);
}

}  // namespace ringlet
