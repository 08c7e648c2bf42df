#include "ops/gemm/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/gemm/gemm_kernels.h"

namespace ringlet {
namespace {

// Rows a task computes at once: enough to reuse a panel from cache, few enough to share out a
// prefill chunk among threads even when N is small.
constexpr int64_t kTaskRows = 96;

struct Task {
  const GemmJob* job;
  int64_t panel;
  int64_t row_begin;
};

std::vector<Task> SplitTasks(std::span<const GemmJob> jobs) {
  std::vector<Task> tasks;
  for (const GemmJob& job : jobs) {
    const auto rows = static_cast<int64_t>(job.inputs.size());
    for (int64_t panel = 0; panel < job.weights->panels(); ++panel) {
      for (int64_t row = 0; row < rows; row += kTaskRows) tasks.push_back({&job, panel, row});
    }
  }
  return tasks;
}

void RunTask(const GemmKernels& kernels, const Task& task) {
  const PackedMatrix& weights = *task.job->weights;
  const auto all_rows = static_cast<int64_t>(task.job->inputs.size());
  const int64_t rows = std::min(kTaskRows, all_rows - task.row_begin);
  float* outputs[kTaskRows];
  for (int64_t i = 0; i < rows; ++i) {
    outputs[i] = task.job->outputs[static_cast<size_t>(task.row_begin + i)] + task.panel * kPanel;
  }
  const GemmTile tile{
      .panel = weights.panel(task.panel),
      .quant = weights.quant,
      .k = weights.k,
      .inputs = task.job->inputs.data() + task.row_begin,
      .outputs = outputs,
      .rows = rows,
      .columns = static_cast<int>(std::min(kPanel, weights.n - task.panel * kPanel)),
  };
  switch (weights.format) {
    case PackedFormat::kF32:
      return kernels.tile_f32(tile);
    case PackedFormat::kBf16:
      return kernels.tile_bf16(tile);
    case PackedFormat::kQuant:
      return kernels.tile_quant(tile);
  }
}

}  // namespace

void PrepareRows(Context& context, PackedFormat format, const float* x, int64_t rows, int64_t k,
                 PreparedRows* out) {
  const GemmKernels& kernels = SelectKernels(GemmTables(), context.isa);
  int64_t bytes = k * 4;
  if (format == PackedFormat::kBf16) bytes = kernels.bf16_row_bytes(k);
  if (format == PackedFormat::kQuant) {
    bytes = k / kQuantGroup * static_cast<int64_t>(sizeof(QuantActGroup));
  }
  out->format_ = format;
  out->rows_ = rows;
  out->k_ = k;
  out->row_bytes_ = (bytes + 63) / 64 * 64;
  out->data_.Reset(static_cast<size_t>(out->row_bytes_ * rows));
  const auto prepare = [&](int64_t i, int) {
    std::byte* row = out->data_.data() + i * out->row_bytes_;
    if (format == PackedFormat::kF32) std::memcpy(row, x + i * k, static_cast<size_t>(k) * 4);
    if (format == PackedFormat::kBf16) kernels.prepare_bf16(x + i * k, k, row);
    if (format == PackedFormat::kQuant) kernels.prepare_quant(x + i * k, k, row);
  };
  if (rows <= 4) {  // cheaper than waking the workers
    for (int64_t i = 0; i < rows; ++i) prepare(i, 0);
  } else {
    context.pool.ParallelFor(rows, prepare);
  }
}

void Gemm(Context& context, std::span<const GemmJob> jobs) {
  const GemmKernels& kernels = SelectKernels(GemmTables(), context.isa);
  const std::vector<Task> tasks = SplitTasks(jobs);
  context.pool.ParallelFor(static_cast<int64_t>(tasks.size()), [&](int64_t i, int) {
    RunTask(kernels, tasks[static_cast<size_t>(i)]);
  });
}

GemmJob WholeJob(const PackedMatrix& weights, const PreparedRows& x, float* y) {
  RINGLET_CHECK(x.format() == weights.format && x.k() == weights.k, "prepared for other weights");
  GemmJob job;
  job.weights = &weights;
  for (int64_t i = 0; i < x.rows(); ++i) {
    job.inputs.push_back(x.row(i));
    job.outputs.push_back(y + i * weights.n);
  }
  return job;
}

void Gemm(Context& context, const PackedMatrix& weights, const PreparedRows& x, float* y) {
  const GemmJob job = WholeJob(weights, x, y);
  Gemm(context, std::span(&job, 1));
}

}  // namespace ringlet
