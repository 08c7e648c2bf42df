// Activations: rows of fp32 values, prepared on demand for the weight formats that multiply them.
#pragma once

#include <cstdint>

#include "nn/observer.h"
#include "ops/gemm/gemm.h"

namespace ringlet {

class Activations {
 public:
  // Names [rows, k] values, which must stay in place until the next Assign.
  void Assign(const float* x, int64_t rows, int64_t k);
  // The rows in `format`, prepared at the first call after Assign.
  const PreparedRows& For(Context& context, PackedFormat format);

  // The rows for `weights`, which `observer` sees unless it is null.
  const PreparedRows& For(Context& context, const PackedMatrix& weights,
                          ActivationObserver* observer);

  const float* x() const { return x_; }
  int64_t rows() const { return rows_; }

 private:
  const float* x_ = nullptr;
  int64_t rows_ = 0;
  int64_t k_ = 0;
  bool ready_[3] = {false, false, false};
  PreparedRows prepared_[3];
};

}  // namespace ringlet
