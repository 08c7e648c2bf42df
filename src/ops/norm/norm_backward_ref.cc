#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/norm/norm_backward.h"

namespace ringlet {
namespace {

// One row or group with upstream gradient g of weight * x * r: dx, and x * r.
void NormRef(const float* x, const double* g, int64_t n, double eps, double* dx, double* scaled) {
  double squares = 0;
  double inner = 0;
  for (int64_t i = 0; i < n; ++i) {
    squares += static_cast<double>(x[i]) * x[i];
    inner += x[i] * g[i];
  }
  const double r = 1.0 / std::sqrt(squares / static_cast<double>(n) + eps);
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = r * (g[i] - x[i] * r * r * inner / static_cast<double>(n));
    scaled[i] = x[i] * r;
  }
}

}  // namespace

void RmsNormBackwardRef(const RmsNormBackwardArgs& args, double* dx, double* dweight) {
  std::vector<double> g(static_cast<size_t>(args.n));
  std::vector<double> scaled(g.size());
  std::fill_n(dweight, args.n, 0.0);
  for (int64_t row = 0; row < args.rows; ++row) {
    const int64_t at = row * args.n;
    for (int64_t i = 0; i < args.n; ++i) {
      g[static_cast<size_t>(i)] = static_cast<double>(args.dy[at + i]) * args.weight[i];
    }
    NormRef(args.x + at, g.data(), args.n, args.eps, dx + at, scaled.data());
    for (int64_t i = 0; i < args.n; ++i) {
      dweight[i] += args.dy[at + i] * scaled[static_cast<size_t>(i)];
    }
  }
}

void GroupNormGateBackwardRef(const GroupNormGateBackwardArgs& args, double* dx, double* dgate,
                              double* dweight) {
  const int64_t width = args.n / args.groups;
  std::vector<double> g(static_cast<size_t>(width));
  std::vector<double> scaled(g.size());
  std::fill_n(dweight, args.n, 0.0);
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t begin = 0; begin < args.n; begin += width) {
      const int64_t at = row * args.n + begin;
      const auto sigmoid = [&](int64_t i) {
        return 1.0 / (1.0 + std::exp(-static_cast<double>(args.gate[at + i])));
      };
      for (int64_t i = 0; i < width; ++i) {
        g[static_cast<size_t>(i)] =
            static_cast<double>(args.dy[at + i]) * args.weight[begin + i] * sigmoid(i);
      }
      NormRef(args.x + at, g.data(), width, args.eps, dx + at, scaled.data());
      for (int64_t i = 0; i < width; ++i) {
        const double s = sigmoid(i);
        // 1 - s by the other side's sigmoid, which does not cancel.
        const double rest = 1.0 / (1.0 + std::exp(static_cast<double>(args.gate[at + i])));
        dgate[at + i] = g[static_cast<size_t>(i)] * scaled[static_cast<size_t>(i)] * rest;
        dweight[begin + i] += args.dy[at + i] * scaled[static_cast<size_t>(i)] * s;
      }
    }
  }
}

}  // namespace ringlet
