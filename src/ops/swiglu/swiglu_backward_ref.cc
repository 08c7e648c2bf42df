#include <cmath>

#include "ops/swiglu/swiglu_backward.h"

namespace ringlet {

void SwiGluBackwardRef(const float* x, const float* dy, int64_t rows, int64_t n, double* dx) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < n; ++i) {
      const double gate = x[row * 2 * n + i];
      const double up = x[row * 2 * n + n + i];
      const double dout = dy[row * n + i];
      const double s = 1.0 / (1.0 + std::exp(-gate));
      const double rest = 1.0 / (1.0 + std::exp(gate));
      dx[row * 2 * n + i] = dout * up * s * (1.0 + gate * rest);
      dx[row * 2 * n + n + i] = dout * gate * s;
    }
  }
}

}  // namespace ringlet
