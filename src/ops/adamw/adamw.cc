#include "ops/adamw/adamw.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/adamw/adamw_kernels.h"

namespace ringlet {
namespace {

// Elements a task: 256 KiB of each array.
constexpr int64_t kTask = 65536;
static_assert(kTask % kSquaresBlock == 0);

AdamWFactors Factors(const AdamWArgs& args) {
  RINGLET_CHECK(args.step >= 1, "steps of the moments count from 1");
  const auto step = static_cast<double>(args.step);
  const double c1 = 1.0 - std::pow(args.beta1, step);
  const double c2 = 1.0 - std::pow(args.beta2, step);
  return {
      .grad_scale = static_cast<float>(args.grad_scale),
      .beta1 = static_cast<float>(args.beta1),
      .rest1 = static_cast<float>(1.0 - args.beta1),
      .beta2 = static_cast<float>(args.beta2),
      .rest2 = static_cast<float>(1.0 - args.beta2),
      .rate = static_cast<float>(args.lr / c1),
      .root = static_cast<float>(1.0 / std::sqrt(c2)),
      .eps = static_cast<float>(args.eps),
      .decay = static_cast<float>(args.lr * args.decay),
  };
}

// Pairwise: neighbours first. Destroys `sums`.
double SumTree(std::vector<double>& sums) {
  if (sums.empty()) return 0.0;
  for (size_t count = sums.size(); count > 1; count = (count + 1) / 2) {
    for (size_t i = 0; i < count / 2; ++i) sums[i] = sums[2 * i] + sums[2 * i + 1];
    if (count % 2 == 1) sums[count / 2] = sums[count - 1];
  }
  return sums[0];
}

}  // namespace

void AdamW(Context& context, const AdamWArgs& args) {
  const AdamWKernels& kernels = SelectKernels(AdamWTables(), context.isa);
  const AdamWFactors factors = Factors(args);
  const auto run = [&](int64_t task, int) {
    const int64_t at = task * kTask;
    kernels.step(factors, args.grad + at, args.weight + at, args.mean + at, args.square + at,
                 std::min(kTask, args.n - at));
  };
  const int64_t tasks = (args.n + kTask - 1) / kTask;
  if (tasks == 1) {
    run(0, 0);
  } else if (tasks > 1) {
    context.pool.ParallelFor(tasks, run);
  }
}

double SumOfSquares(Context& context, std::span<const std::span<const float>> parts) {
  const AdamWKernels& kernels = SelectKernels(AdamWTables(), context.isa);
  struct Task {
    std::span<const float> values;
    size_t first_block;
  };
  std::vector<Task> tasks;
  size_t blocks = 0;
  for (std::span<const float> part : parts) {
    while (!part.empty()) {
      const size_t count = std::min(part.size(), static_cast<size_t>(kTask));
      tasks.push_back({part.first(count), blocks});
      blocks += (count + kSquaresBlock - 1) / kSquaresBlock;
      part = part.subspan(count);
    }
  }
  std::vector<double> sums(blocks);
  const auto run = [&](int64_t index, int) {
    const Task& task = tasks[static_cast<size_t>(index)];
    const auto n = static_cast<int64_t>(task.values.size());
    size_t block = task.first_block;
    for (int64_t at = 0; at < n; at += kSquaresBlock) {
      sums[block++] = kernels.squares(task.values.data() + at, std::min(kSquaresBlock, n - at));
    }
  };
  if (tasks.size() == 1) {
    run(0, 0);
  } else if (tasks.size() > 1) {
    context.pool.ParallelFor(static_cast<int64_t>(tasks.size()), run);
  }
  return SumTree(sums);
}

}  // namespace ringlet
