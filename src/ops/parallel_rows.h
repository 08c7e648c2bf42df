// Row-parallel loops for the small operators.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/context.h"

namespace ringlet {

// Calls body(row) for every row, on several threads when there is enough work (`row_cost`: elements
// touched per row) to pay for waking them.
template <typename Body>
void ParallelRows(Context& context, int64_t rows, int64_t row_cost, const Body& body) {
  constexpr int64_t kTaskElements = 16384;
  const int64_t rows_per_task =
      std::max<int64_t>(1, kTaskElements / std::max<int64_t>(1, row_cost));
  const int64_t tasks = (rows + rows_per_task - 1) / rows_per_task;
  const auto run = [&](int64_t task, int) {
    const int64_t end = std::min(rows, (task + 1) * rows_per_task);
    for (int64_t row = task * rows_per_task; row < end; ++row) body(row);
  };
  if (tasks <= 1) {
    if (rows > 0) run(0, 0);
  } else {
    context.pool.ParallelFor(tasks, run);
  }
}

}  // namespace ringlet
