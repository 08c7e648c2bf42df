// Sums over rows, which gradients of weights are, in an order that the number of threads does not
// change: terms of a block of kGradientRows rows are added upwards, then the blocks' sums upwards.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/context.h"

namespace ringlet {

inline constexpr int64_t kGradientRows = 64;

// Calls body(row, partial) for every row; body adds the row's terms to partial[0..n). Then out, or
// out + the sum if `add`, becomes the sum over all rows. With out null, partial is null. Uses the
// context's shared scratch: n floats for each block of rows.
template <typename Body>
void SumOverRows(Context& context, int64_t rows, int64_t n, bool add, float* out,
                 const Body& body) {
  constexpr int64_t kColumns = 1024;
  const int64_t blocks = (rows + kGradientRows - 1) / kGradientRows;
  float* partials =
      out == nullptr ? nullptr : context.SharedScratch(static_cast<size_t>(blocks * n));
  context.pool.ParallelFor(blocks, [&](int64_t block, int) {
    float* partial = partials == nullptr ? nullptr : partials + block * n;
    if (partial != nullptr) std::fill_n(partial, n, 0.0f);
    const int64_t end = std::min(rows, (block + 1) * kGradientRows);
    for (int64_t row = block * kGradientRows; row < end; ++row) body(row, partial);
  });
  if (out == nullptr) return;
  context.pool.ParallelFor((n + kColumns - 1) / kColumns, [&](int64_t strip, int) {
    const int64_t end = std::min(n, (strip + 1) * kColumns);
    for (int64_t i = strip * kColumns; i < end; ++i) {
      float sum = 0.0f;
      for (int64_t block = 0; block < blocks; ++block) sum += partials[block * n + i];
      out[i] = add ? out[i] + sum : sum;
    }
  });
}

}  // namespace ringlet
