#include <cmath>
#include <vector>

#include "ops/kv_access.h"
#include "ops/lightning/lightning.h"

namespace ringlet {

void LightningRef(const LightningArgs& args, const LightningFeed& feed,
                  std::span<const double> log_lambda, double* out, double* state) {
  const int64_t d = args.kv.head_dim;
  const int64_t heads = args.kv.kv_heads;
  for (int64_t h = 0; h < heads; ++h) {
    double* s = state + h * d * d;
    for (int64_t i = 0; i < d * d; ++i)
      s[i] = feed.anchor == nullptr ? 0.0 : feed.anchor[h * d * d + i];
    const double lambda = std::exp(log_lambda[static_cast<size_t>(h)]);
    // Slots before the feed's first row belong to the sequence too.
    for (int64_t slot = 0; slot < feed.first_slot + feed.rows; ++slot) {
      const std::byte* block = feed.chunks[slot / kBlockPositions];
      const int64_t at = slot % kBlockPositions;
      for (int64_t i = 0; i < d; ++i) {
        for (int64_t c = 0; c < d; ++c) {
          s[i * d + c] =
              lambda * s[i * d + c] + static_cast<double>(KeyAt(args.kv, block, h, at, i)) *
                                          ValueAt(args.kv, block, h, at, c);
        }
      }
      const int64_t row = slot - feed.first_slot;
      if (row < 0) continue;
      for (int64_t c = 0; c < d; ++c) {
        double sum = 0;
        for (int64_t i = 0; i < d; ++i) sum += feed.q[(row * heads + h) * d + i] * s[i * d + c];
        out[(row * heads + h) * d + c] = args.scale * sum;
      }
    }
  }
}

}  // namespace ringlet
