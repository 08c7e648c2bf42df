#include <cmath>

#include "ops/swiglu/swiglu.h"

namespace ringlet {

void SwiGluRef(const float* x, int64_t rows, int64_t n, double* y) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < n; ++i) {
      const double gate = x[row * 2 * n + i];
      y[row * n + i] = gate / (1.0 + std::exp(-gate)) * x[row * 2 * n + n + i];
    }
  }
}

}  // namespace ringlet
