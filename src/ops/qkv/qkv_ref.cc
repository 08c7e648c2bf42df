#include <cmath>

#include "ops/qkv/qkv.h"

namespace ringlet {
namespace {

void HeadRef(const float* x, const float* weight, const float* cos_sin, int64_t rotary_dim,
             int64_t d, double eps, double* out) {
  double sum = 0;
  for (int64_t i = 0; i < d; ++i) sum += static_cast<double>(x[i]) * x[i];
  const double inverse = 1.0 / std::sqrt(sum / static_cast<double>(d) + eps);
  for (int64_t i = 0; i < d; ++i) out[i] = weight == nullptr ? x[i] : x[i] * inverse * weight[i];
  const int64_t half = rotary_dim / 2;
  for (int64_t i = 0; i < half; ++i) {
    const double a = out[i];
    const double b = out[half + i];
    out[i] = a * cos_sin[i] - b * cos_sin[half + i];
    out[half + i] = b * cos_sin[i] + a * cos_sin[half + i];
  }
}

}  // namespace

void QkvSplitRef(const QkvSplitArgs& args, const QkvRow& row, double* q, double* k, double* v) {
  const int64_t d = args.kv.head_dim;
  for (int64_t h = 0; h < args.heads; ++h) {
    HeadRef(row.qkv + h * d, args.q_norm, row.cos_sin, args.rotary_dim, d, args.eps, q + h * d);
  }
  const float* keys = row.qkv + args.heads * d;
  for (int64_t h = 0; h < args.kv.kv_heads; ++h) {
    HeadRef(keys + h * d, args.k_norm, row.cos_sin, args.rotary_dim, d, args.eps, k + h * d);
  }
  const float* values = keys + args.kv.kv_heads * d;
  for (int64_t i = 0; i < args.kv.kv_heads * d; ++i) v[i] = values[i];
}

}  // namespace ringlet
