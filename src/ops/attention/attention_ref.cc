#include <cmath>
#include <cstring>
#include <vector>

#include "ops/attention/attention.h"
#include "ops/kv_access.h"

namespace ringlet {

void AttentionRef(const AttentionArgs& args, const AttentionRow& row, double* out) {
  const int64_t d = args.kv.head_dim;
  std::vector<double> scores(static_cast<size_t>(row.length));
  for (int64_t h = 0; h < args.heads; ++h) {
    const int64_t kv_head = h * args.kv.kv_heads / args.heads;
    double largest = -INFINITY;
    for (int64_t j = 0; j < row.length; ++j) {
      const std::byte* block = row.blocks[j / kBlockPositions];
      double dot = 0;
      for (int64_t i = 0; i < d; ++i) {
        dot += static_cast<double>(row.q[h * d + i]) *
               KeyAt(args.kv, block, kv_head, j % kBlockPositions, i);
      }
      scores[static_cast<size_t>(j)] = dot * args.scale;
      largest = std::max(largest, scores[static_cast<size_t>(j)]);
    }
    double sum = 0;
    for (double& score : scores) sum += score = std::exp(score - largest);
    for (int64_t i = 0; i < d; ++i) {
      double value = 0;
      for (int64_t j = 0; j < row.length; ++j) {
        value += scores[static_cast<size_t>(j)] / sum *
                 ValueAt(args.kv, row.blocks[j / kBlockPositions], kv_head, j % kBlockPositions, i);
      }
      out[h * d + i] = value;
    }
  }
}

}  // namespace ringlet
