#include <cmath>
#include <vector>

#include "ops/kv_access.h"
#include "ops/lightning/lightning_backward.h"

namespace ringlet {

void LightningBackwardRef(const LightningBackwardArgs& args, const LightningBackwardFeed& feed,
                          std::span<const double> log_lambda, double* dq, double* dk, double* dv,
                          double* danchor) {
  const int64_t d = args.kv.head_dim;
  const int64_t heads = args.kv.kv_heads;
  std::vector<double> state(static_cast<size_t>(d * d));
  for (int64_t h = 0; h < heads; ++h) {
    const double lambda = std::exp(log_lambda[static_cast<size_t>(h)]);
    const auto key = [&](int64_t t, int64_t i) -> double {
      return KeyAt(args.kv, feed.chunks[t / kBlockPositions], h, t % kBlockPositions, i);
    };
    const auto value = [&](int64_t t, int64_t i) -> double {
      return ValueAt(args.kv, feed.chunks[t / kBlockPositions], h, t % kBlockPositions, i);
    };
    for (int64_t i = 0; i < d * d; ++i) {
      state[static_cast<size_t>(i)] = feed.anchor == nullptr ? 0.0 : feed.anchor[h * d * d + i];
    }
    for (int64_t t = 0; t < feed.rows; ++t) {
      const int64_t at = (t * heads + h) * d;
      for (int64_t i = 0; i < d; ++i) {
        double sum = 0;
        for (int64_t c = 0; c < d; ++c) {
          double& s = state[static_cast<size_t>(i * d + c)];
          s = lambda * s + key(t, i) * value(t, c);
          sum += s * feed.dout[at + c];
        }
        dq[at + i] = args.scale * sum;
      }
    }
    double* gradient = danchor + h * d * d;
    for (int64_t i = 0; i < d * d; ++i) {
      gradient[i] = feed.last_gradient == nullptr ? 0.0 : feed.last_gradient[h * d * d + i];
    }
    // Here `gradient` is that of the state after row t by way of what follows row t.
    for (int64_t t = feed.rows - 1; t >= 0; --t) {
      const int64_t at = (t * heads + h) * d;
      for (int64_t i = 0; i < d; ++i) dk[at + i] = dv[at + i] = 0.0;
      for (int64_t i = 0; i < d; ++i) {
        for (int64_t c = 0; c < d; ++c) {
          double& g = gradient[i * d + c];
          g += static_cast<double>(args.scale) * feed.q[at + i] * feed.dout[at + c];
          dk[at + i] += g * value(t, c);
          dv[at + c] += g * key(t, i);
          g *= lambda;
        }
      }
    }
  }
}

}  // namespace ringlet
