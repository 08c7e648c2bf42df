#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/qkv/qkv_backward.h"

namespace ringlet {
namespace {

void HeadRef(const QkvBackwardArgs& args, const float* x, const float* weight, const float* cos_sin,
             const float* dout, double* dx, double* dweight) {
  const int64_t d = args.head_dim;
  const int64_t half = args.rotary_dim / 2;
  std::vector<double> g(dout, dout + d);
  for (int64_t i = 0; i < half; ++i) {
    const double cosine = cos_sin[i];
    const double sine = cos_sin[half + i];
    g[static_cast<size_t>(i)] = dout[i] * cosine + dout[half + i] * sine;
    g[static_cast<size_t>(half + i)] = dout[half + i] * cosine - dout[i] * sine;
  }
  if (weight == nullptr) {
    std::copy(g.begin(), g.end(), dx);
    return;
  }
  double squares = 0;
  double inner = 0;
  for (int64_t i = 0; i < d; ++i) {
    squares += static_cast<double>(x[i]) * x[i];
    inner += x[i] * g[static_cast<size_t>(i)] * weight[i];
  }
  const auto n = static_cast<double>(d);
  const double r = 1.0 / std::sqrt(squares / n + args.eps);
  for (int64_t i = 0; i < d; ++i) {
    dx[i] = r * (g[static_cast<size_t>(i)] * weight[i] - x[i] * r * r * inner / n);
    dweight[i] += g[static_cast<size_t>(i)] * x[i] * r;
  }
}

}  // namespace

void QkvBackwardRef(const QkvBackwardArgs& args, double* dqkv, double* dq_norm, double* dk_norm) {
  const int64_t d = args.head_dim;
  std::fill_n(dq_norm, d, 0.0);
  std::fill_n(dk_norm, d, 0.0);
  for (int64_t row = 0; row < args.rows; ++row) {
    const float* qkv = args.qkv + row * args.width();
    const float* cos_sin = args.cos_sin + row * args.rotary_dim;
    double* out = dqkv + row * args.width();
    for (int64_t h = 0; h < args.heads; ++h) {
      HeadRef(args, qkv + h * d, args.q_norm, cos_sin, args.dq + (row * args.heads + h) * d,
              out + h * d, dq_norm);
    }
    for (int64_t h = 0; h < args.kv_heads; ++h) {
      const int64_t at = (args.heads + h) * d;
      HeadRef(args, qkv + at, args.k_norm, cos_sin, args.dk + (row * args.kv_heads + h) * d,
              out + at, dk_norm);
    }
    for (int64_t i = 0; i < args.kv_heads * d; ++i) {
      out[(args.heads + args.kv_heads) * d + i] = args.dv[row * args.kv_heads * d + i];
    }
  }
}

}  // namespace ringlet
