#include "ops/attention/attention_backward.h"

#include <vector>

#include "ops/attention/attention_backward_kernels.h"
#include "ops/parallel_rows.h"

namespace ringlet {

void AttentionBackward(Context& context, const AttentionBackwardArgs& args) {
  const KvLayout& kv = args.kv;
  RINGLET_CHECK(kv.kv_heads >= 1 && args.heads % kv.kv_heads == 0, "kv heads must divide heads");
  RINGLET_CHECK(kv.type != KvType::kInt8, "gradients need keys and values in floating point");
  const AttentionBackwardKernels& kernels = SelectKernels(AttentionBackwardTables(), context.isa);
  const int64_t width = args.heads * kv.head_dim;
  int64_t rows = 0;
  std::vector<int64_t> first_row;
  for (const AttentionBackwardFeed& feed : args.feeds) {
    first_row.push_back(rows);
    rows += feed.rows;
  }
  float* delta = context.SharedScratch(static_cast<size_t>(rows * args.heads));
  for (size_t f = 0; f < args.feeds.size(); ++f) {
    const AttentionBackwardFeed& feed = args.feeds[f];
    ParallelRows(context, feed.rows, 2 * width, [&](int64_t row) {
      kernels.delta(feed.dout + row * width, feed.out + row * width, args.heads, kv.head_dim,
                    delta + (first_row[f] + row) * args.heads);
    });
  }
  const auto floats = static_cast<size_t>(AttentionBackwardFloats(kv));
  const int64_t group = args.heads / kv.kv_heads;
  const auto tasks = static_cast<int64_t>(args.feeds.size()) * kv.kv_heads;
  context.pool.ParallelFor(tasks, [&](int64_t i, int thread) {
    const auto f = static_cast<size_t>(i / kv.kv_heads);
    const AttentionBackwardFeed& feed = args.feeds[f];
    const int64_t kv_head = i % kv.kv_heads;
    const int64_t head = kv_head * group;
    const AttentionGradient gradient{
        .q = feed.q + head * kv.head_dim,
        .dout = feed.dout + head * kv.head_dim,
        .dq = feed.dq + head * kv.head_dim,
        .lse = feed.lse + head,
        .delta = delta + first_row[f] * args.heads + head,
        .heads = args.heads,
        .group = group,
        .rows = feed.rows,
        .d = kv.head_dim,
        .scale = args.scale,
        .kv = &kv,
        .kv_head = kv_head,
        .blocks = feed.blocks,
        .dk = feed.dk + kv_head * kv.head_dim,
        .dv = feed.dv + kv_head * kv.head_dim,
    };
    kernels.head(gradient, context.ThreadScratch(thread, floats));
  });
}

}  // namespace ringlet
