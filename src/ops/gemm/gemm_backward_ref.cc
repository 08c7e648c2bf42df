#include <algorithm>

#include "ops/gemm/gemm_backward.h"

namespace ringlet {

void GemmBackwardRef(const float* w, const float* dy, const float* x, int64_t rows, int64_t n,
                     int64_t k, double* dx, double* dw) {
  std::fill_n(dx, rows * k, 0.0);
  std::fill_n(dw, n * k, 0.0);
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t i = 0; i < n; ++i) {
      const double g = dy[m * n + i];
      for (int64_t j = 0; j < k; ++j) {
        dx[m * k + j] += g * w[i * k + j];
        dw[i * k + j] += g * x[m * k + j];
      }
    }
  }
}

}  // namespace ringlet
