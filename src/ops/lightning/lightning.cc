#include "ops/lightning/lightning.h"

#include <algorithm>
#include <cmath>

#include "ops/lightning/lightning_kernels.h"

namespace ringlet {
namespace {

// One head of one feed: chunks in order, folding at each completed one.
void RunHead(const LightningKernels& kernels, const LightningArgs& args, const LightningFeed& feed,
             int64_t head, float* scratch) {
  const int64_t d = args.kv.head_dim;
  const int64_t heads = args.kv.kv_heads;
  const float* state = feed.anchor == nullptr ? nullptr : feed.anchor + head * d * d;
  int64_t row = 0;
  int64_t slot = feed.first_slot;
  for (int64_t c = 0; row < feed.rows; ++c) {
    const int64_t count = std::min(feed.rows - row, kBlockPositions - slot);
    const LightningChunk chunk{
        .q = feed.q + (row * heads + head) * d,
        .out = feed.out + (row * heads + head) * d,
        .stride = heads * d,
        .rows = count,
        .first_slot = slot,
        .keys = feed.chunks[c] + args.kv.keys(head),
        .values = feed.chunks[c] + args.kv.values(head),
        .d = d,
        .scale = args.scale,
        .powers = args.decay->head(head),
        .state = state,
    };
    kernels.rows(chunk, scratch);
    if (slot + count == kBlockPositions) {
      float* next = feed.next_anchor + head * d * d;
      kernels.fold(chunk, next, scratch);
      state = next;
    }
    row += count;
    slot = 0;
  }
}

}  // namespace

DecayTable MakeDecayTable(std::span<const double> log_lambda) {
  DecayTable table;
  for (const double log_value : log_lambda) {
    for (int64_t i = 0; i < DecayTable::kStride; ++i) {
      table.powers.push_back(static_cast<float>(std::exp(log_value * static_cast<double>(i))));
    }
  }
  return table;
}

void Lightning(Context& context, const LightningArgs& args) {
  const LightningKernels& kernels = SelectKernels(LightningTables(), context.isa);
  RINGLET_CHECK(args.kv.type == KvType::kF32, "lightning tails are fp32");
  const int64_t heads = args.kv.kv_heads;
  const auto floats = static_cast<size_t>(LightningScratchFloats(args.kv.head_dim));
  for (const LightningFeed& feed : args.feeds) {
    const bool completes = feed.first_slot + feed.rows >= kBlockPositions;
    RINGLET_CHECK(!completes || feed.next_anchor != nullptr, "a completed chunk needs next_anchor");
  }
  context.pool.ParallelFor(static_cast<int64_t>(args.feeds.size()) * heads,
                           [&](int64_t i, int thread) {
                             RunHead(kernels, args, args.feeds[static_cast<size_t>(i / heads)],
                                     i % heads, context.ThreadScratch(thread, floats));
                           });
}

}  // namespace ringlet
