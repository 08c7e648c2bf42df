#include "ops/gemm/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/gemm/gemm_kernels.h"
#include "ops/parallel_rows.h"

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
    case PackedFormat::kFp8:
      return kernels.tile_fp8(tile);
  }
}

// Work of preparing one value, in the units of ParallelRows.
constexpr int64_t kPrepareCost = 4;

}  // namespace

int64_t PreparedRowBytes(const IsaChoice& isa, PackedFormat weights, int64_t k) {
  const PackedFormat format = RowFormat(weights);
  int64_t bytes = k * 4;
  if (format == PackedFormat::kBf16) bytes = SelectKernels(GemmTables(), isa).bf16_row_bytes(k);
  if (format == PackedFormat::kQuant) {
    bytes = k / kQuantGroup * static_cast<int64_t>(sizeof(QuantActGroup));
  }
  return (bytes + 63) / 64 * 64;
}

// Makes room for rows in a format and fills them.
class RowPreparer {
 public:
  RowPreparer(const IsaChoice& isa, PackedFormat weights, int64_t rows, int64_t k,
              PreparedRows* out)
      : kernels_(SelectKernels(GemmTables(), isa)), out_(out) {
    out->format_ = RowFormat(weights);
    out->rows_ = rows;
    out->k_ = k;
    out->row_bytes_ = PreparedRowBytes(isa, weights, k);
    out->data_.Reset(static_cast<size_t>(out->row_bytes_ * rows));
  }

  void Prepare(const float* x, int64_t i) const {
    std::byte* row = out_->data_.data() + i * out_->row_bytes_;
    switch (out_->format_) {
      case PackedFormat::kF32:
        std::memcpy(row, x, static_cast<size_t>(out_->k_) * 4);
        return;
      case PackedFormat::kBf16:
      case PackedFormat::kFp8:
        return kernels_.prepare_bf16(x, out_->k_, row);
      case PackedFormat::kQuant:
        return kernels_.prepare_quant(x, out_->k_, row);
    }
  }

 private:
  const GemmKernels& kernels_;
  PreparedRows* out_;
};

void PrepareRows(Context& context, PackedFormat weights, const float* x, int64_t rows, int64_t k,
                 PreparedRows* out) {
  const RowPreparer preparer(context.isa, weights, rows, k, out);
  ParallelRows(context, rows, kPrepareCost * k,
               [&](int64_t row) { preparer.Prepare(x + row * k, row); });
}

void PrepareRows(Context& context, PackedFormat weights, const RowSource& source, float* x,
                 PreparedRows* out) {
  const RowPreparer preparer(context.isa, weights, source.rows, source.k, out);
  ParallelRows(context, source.rows, source.cost + kPrepareCost * source.k, [&](int64_t row) {
    source.fill(row, x + row * source.k);
    preparer.Prepare(x + row * source.k, row);
  });
}

void Gemm(Context& context, std::span<const GemmJob> jobs) {
  const GemmKernels& kernels = SelectKernels(GemmTables(), context.isa);
  const std::vector<Task> tasks = SplitTasks(jobs);
  context.pool.ParallelFor(static_cast<int64_t>(tasks.size()), [&](int64_t i, int) {
    RunTask(kernels, tasks[static_cast<size_t>(i)]);
  });
}

void ReadAhead(Context& context, std::span<const PackedMatrix* const> next) {
  // Half of a second-level cache.
  constexpr int64_t kBytes = 256 << 10;
  int64_t panels = 0;
  for (const PackedMatrix* matrix : next) panels += matrix->panels();
  for (int thread = 0; thread < context.pool.threads(); ++thread) {
    // The first panel of the thread's run of tasks.
    int64_t panel = panels * thread / context.pool.threads();
    for (const PackedMatrix* matrix : next) {
      const int64_t left = matrix->panels() - panel;
      if (left > 0) {
        const int64_t bytes = std::min(kBytes, left * matrix->panel_bytes);
        context.pool.ReadAhead(thread, {matrix->panel(panel), static_cast<size_t>(bytes)});
        break;
      }
      panel = -left;
    }
  }
}

GemmJob WholeJob(const PackedMatrix& weights, const PreparedRows& x, float* y) {
  RINGLET_CHECK(x.format() == RowFormat(weights.format) && x.k() == weights.k,
                "prepared for other weights");
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
