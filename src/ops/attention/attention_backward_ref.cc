#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/attention/attention_backward.h"
#include "ops/kv_access.h"

namespace ringlet {
namespace {

// Probabilities of row i over positions 0 .. i, and the rows' inner products with values.
void RowRef(const AttentionBackwardArgs& args, const AttentionBackwardFeed& feed, int64_t head,
            int64_t i, std::vector<double>* p, std::vector<double>* dp) {
  const int64_t d = args.kv.head_dim;
  const int64_t kv_head = head * args.kv.kv_heads / args.heads;
  const int64_t at = (i * args.heads + head) * d;
  double largest = -HUGE_VAL;
  for (int64_t j = 0; j <= i; ++j) {
    const std::byte* block = feed.blocks[j / kBlockPositions];
    double score = 0;
    double inner = 0;
    for (int64_t c = 0; c < d; ++c) {
      score += static_cast<double>(feed.q[at + c]) *
               KeyAt(args.kv, block, kv_head, j % kBlockPositions, c);
      inner += static_cast<double>(feed.dout[at + c]) *
               ValueAt(args.kv, block, kv_head, j % kBlockPositions, c);
    }
    (*p)[static_cast<size_t>(j)] = args.scale * score;
    (*dp)[static_cast<size_t>(j)] = inner;
    largest = std::max(largest, args.scale * score);
  }
  double sum = 0;
  for (int64_t j = 0; j <= i; ++j) {
    sum += (*p)[static_cast<size_t>(j)] = std::exp((*p)[static_cast<size_t>(j)] - largest);
  }
  for (int64_t j = 0; j <= i; ++j) (*p)[static_cast<size_t>(j)] /= sum;
}

}  // namespace

void AttentionBackwardRef(const AttentionBackwardArgs& args, const AttentionBackwardFeed& feed,
                          double* dq, double* dk, double* dv) {
  const int64_t d = args.kv.head_dim;
  std::fill_n(dq, feed.rows * args.heads * d, 0.0);
  std::fill_n(dk, feed.rows * args.kv.kv_heads * d, 0.0);
  std::fill_n(dv, feed.rows * args.kv.kv_heads * d, 0.0);
  std::vector<double> p(static_cast<size_t>(feed.rows));
  std::vector<double> dp(p.size());
  for (int64_t head = 0; head < args.heads; ++head) {
    const int64_t kv_head = head * args.kv.kv_heads / args.heads;
    for (int64_t i = 0; i < feed.rows; ++i) {
      RowRef(args, feed, head, i, &p, &dp);
      double delta = 0;
      for (int64_t j = 0; j <= i; ++j) {
        delta += p[static_cast<size_t>(j)] * dp[static_cast<size_t>(j)];
      }
      const int64_t at = (i * args.heads + head) * d;
      for (int64_t j = 0; j <= i; ++j) {
        const double weight = p[static_cast<size_t>(j)];
        const double ds = weight * (dp[static_cast<size_t>(j)] - delta) * args.scale;
        const int64_t to = (j * args.kv.kv_heads + kv_head) * d;
        const std::byte* block = feed.blocks[j / kBlockPositions];
        for (int64_t c = 0; c < d; ++c) {
          dq[at + c] += ds * KeyAt(args.kv, block, kv_head, j % kBlockPositions, c);
          dk[to + c] += ds * feed.q[at + c];
          dv[to + c] += weight * feed.dout[at + c];
        }
      }
    }
  }
}

}  // namespace ringlet
