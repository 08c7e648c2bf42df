// A whole product for tests: rows prepared, multiplied, and the output guarded.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/gemm/gemm.h"
#include "ops/testing/guarded_buffer.h"

namespace ringlet::testing {

inline std::vector<float> Product(Context& context, const PackedMatrix& weights,
                                  const std::vector<float>& x, int64_t rows) {
  PreparedRows prepared;
  PrepareRows(context, weights.format, x.data(), rows, weights.k, &prepared);
  GuardedBuffer<float> y(static_cast<size_t>(rows * weights.n), 1);
  Gemm(context, weights, prepared, y.data());
  return {y.data(), y.data() + y.size()};
}

}  // namespace ringlet::testing
