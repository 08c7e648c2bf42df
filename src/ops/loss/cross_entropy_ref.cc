#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/loss/cross_entropy.h"

namespace ringlet {

void CrossEntropyRef(const CrossEntropyArgs& args, const float* w, int64_t vocabulary, int64_t k,
                     double* log_probs, double* lse, double* dx, double* dw) {
  std::fill_n(log_probs, args.rows, 0.0);
  std::fill_n(lse, args.rows, 0.0);
  std::fill_n(dx, args.rows * k, 0.0);
  std::fill_n(dw, vocabulary * k, 0.0);
  std::vector<double> logits(static_cast<size_t>(vocabulary));
  for (int64_t row = 0; row < args.rows; ++row) {
    if (args.labels[row] < 0) continue;
    const float* x = args.x + row * k;
    for (int64_t v = 0; v < vocabulary; ++v) {
      double sum = 0;
      for (int64_t i = 0; i < k; ++i) sum += static_cast<double>(x[i]) * w[v * k + i];
      logits[static_cast<size_t>(v)] = sum;
    }
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - largest);
    lse[row] = largest + std::log(sum);
    log_probs[row] = logits[static_cast<size_t>(args.labels[row])] - lse[row];
    for (int64_t v = 0; v < vocabulary; ++v) {
      const double p = std::exp(logits[static_cast<size_t>(v)] - lse[row]);
      const double onehot = v == args.labels[row] ? 1.0 : 0.0;
      const double g = args.scale * ((1.0 + 2.0 * args.z_loss * lse[row]) * p - onehot);
      for (int64_t i = 0; i < k; ++i) {
        dx[row * k + i] += g * w[v * k + i];
        dw[v * k + i] += g * x[i];
      }
    }
  }
}

}  // namespace ringlet
