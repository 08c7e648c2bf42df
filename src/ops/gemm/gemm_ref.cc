#include <vector>

#include "ops/gemm/gemm.h"

namespace ringlet {

void GemmRef(const PackedMatrix& weights, const float* x, int64_t rows, double* y) {
  std::vector<float> w(static_cast<size_t>(weights.k));
  for (int64_t n = 0; n < weights.n; ++n) {
    UnpackRow(weights, n, w.data());
    for (int64_t m = 0; m < rows; ++m) {
      double sum = 0;
      for (int64_t k = 0; k < weights.k; ++k) {
        sum += static_cast<double>(x[m * weights.k + k]) * w[static_cast<size_t>(k)];
      }
      y[m * weights.n + n] = sum;
    }
  }
}

}  // namespace ringlet
