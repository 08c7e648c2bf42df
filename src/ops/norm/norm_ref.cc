#include <cmath>

#include "ops/norm/norm.h"

namespace ringlet {
namespace {

double InverseRms(const float* x, int64_t n, double eps) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return 1.0 / std::sqrt(sum / static_cast<double>(n) + eps);
}

}  // namespace

void RmsNormRef(const RmsNormArgs& args, double* y) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const float* x = args.x + row * args.n;
    const double inverse = InverseRms(x, args.n, args.eps);
    for (int64_t i = 0; i < args.n; ++i) y[row * args.n + i] = args.weight[i] * (x[i] * inverse);
  }
}

void GroupNormGateRef(const GroupNormGateArgs& args, double* y) {
  const int64_t width = args.n / args.groups;
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t i = 0; i < args.n; ++i) {
      const int64_t group = i / width;
      const double inverse = InverseRms(args.x + row * args.n + group * width, width, args.eps);
      const int64_t at = row * args.n + i;
      y[at] = args.weight[i] * (args.x[at] * inverse) /
              (1.0 + std::exp(-static_cast<double>(args.gate[at])));
    }
  }
}

}  // namespace ringlet
