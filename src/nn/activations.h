// Activations: rows of fp32 values, prepared on demand for the weight formats that multiply them.
#pragma once

#include <array>
#include <cstdint>

#include "base/aligned.h"
#include "nn/observer.h"
#include "ops/gemm/gemm.h"

namespace ringlet {

// Rows in each of the formats that weights multiply, by RowFormat.
using PreparedSet = std::array<PreparedRows, 3>;

class Activations {
 public:
  // Names [rows, k] values, which must stay in place until the next Assign. They are prepared in
  // `prepared`, which others may use once these rows were multiplied.
  void Assign(const float* x, int64_t rows, int64_t k, PreparedSet& prepared);
  // Rows that are computed together with their first preparation.
  void Assign(RowSource source, PreparedSet& prepared);

  // The rows for weights of a format, prepared at the first call after Assign.
  const PreparedRows& For(Context& context, PackedFormat weights);

  // The rows for `weights`, which `observer` sees unless it is null.
  const PreparedRows& For(Context& context, const PackedMatrix& weights,
                          ActivationObserver* observer);

  // The values; those of a source exist after a call of For.
  const float* x() const { return x_; }
  int64_t rows() const { return rows_; }

 private:
  const float* x_ = nullptr;
  int64_t rows_ = 0;
  int64_t k_ = 0;
  RowSource source_;  // without a function once its rows are computed
  AlignedBuffer<float> values_;
  PreparedSet* prepared_ = nullptr;
  std::array<bool, 3> ready_{};  // of *prepared_
};

}  // namespace ringlet
