// RowSource: fp32 rows that an operator computes when they are wanted, one at a time, so that what
// is done with a row next (quantizing it for a product) finds it in the first cache and needs no
// parallel region of its own.
#pragma once

#include <cstdint>
#include <functional>

#include "ops/parallel_rows.h"

namespace ringlet {

struct RowSource {
  int64_t rows = 0;
  int64_t k = 0;
  int64_t cost = 0;  // of a row, for ParallelRows
  // Writes the k values of a row, which depend on the row alone. Called from several threads; what
  // the operator reads must stay in place.
  std::function<void(int64_t row, float* out)> fill;
};

// All rows, [rows, k] contiguous.
inline void FillRows(Context& context, const RowSource& source, float* out) {
  ParallelRows(context, source.rows, source.cost,
               [&](int64_t row) { source.fill(row, out + row * source.k); });
}

}  // namespace ringlet
