#include "ops/lightning/lightning_backward.h"

#include <algorithm>

#include "ops/lightning/lightning_backward_kernels.h"
#include "ops/lightning/lightning_kernels.h"

// Both directions are forward passes with other operands.
//   dq: queries g, keys v, values k, state S^T.
//   dk, dv: rows from the last to the first. With U_t = q_t g_t^T + lambda U_{t+1} = dS_t / scale,
//   dv has queries k, keys q, values g and state U; dk has queries v, keys g, values q and state
//   U^T. What the kernels call the state before a chunk is U after it, to be decayed.

namespace ringlet {
namespace {

constexpr int64_t kChunk = kBlockPositions;

struct Kernels {
  const LightningKernels* products;
  const LightningBackwardKernels* moves;
};

struct Buffers {
  float* keys;    // [4][D][16]
  float* values;  // [R / 16][64][16]
  float* rows;    // [64][R]
  float* out;     // [64][R]
  float* state;
  float* transposed;
  float* kernel;
};

int64_t ScratchFloats(const KvLayout& kv) {
  const int64_t d = kv.head_dim;
  return kChunk * (d + 3 * kv.padded_dim()) + 2 * d * d + LightningScratchFloats(d);
}

Buffers Divide(float* scratch, const KvLayout& kv) {
  const int64_t d = kv.head_dim;
  Buffers buffers{};
  buffers.keys = scratch;
  buffers.values = buffers.keys + kChunk * d;
  buffers.rows = buffers.values + kChunk * kv.padded_dim();
  buffers.out = buffers.rows + kChunk * kv.padded_dim();
  buffers.state = buffers.out + kChunk * kv.padded_dim();
  buffers.transposed = buffers.state + d * d;
  buffers.kernel = buffers.transposed + d * d;
  return buffers;
}

// One head of one feed.
struct Head {
  const LightningBackwardArgs& args;
  const LightningBackwardFeed& feed;
  int64_t head;

  int64_t d() const { return args.kv.head_dim; }
  int64_t stride() const { return args.kv.kv_heads * d(); }
  int64_t at(int64_t row) const { return (row * args.kv.kv_heads + head) * d(); }
  const float* powers() const { return args.decay->head(head); }
  const float* keys(int64_t chunk) const {
    return reinterpret_cast<const float*>(feed.chunks[chunk] + args.kv.keys(head));
  }
  const float* values(int64_t chunk) const {
    return reinterpret_cast<const float*>(feed.chunks[chunk] + args.kv.values(head));
  }
  // A [D, D] state of this head, or null.
  const float* state(const float* states) const {
    return states == nullptr ? nullptr : states + head * d() * d();
  }
};

LightningChunk Chunk(const Head& head, int64_t rows, const Buffers& buffers) {
  return {.q = nullptr,
          .out = nullptr,
          .stride = head.stride(),
          .rows = rows,
          .first_slot = 0,
          .keys = reinterpret_cast<const std::byte*>(buffers.keys),
          .values = reinterpret_cast<const std::byte*>(buffers.values),
          .d = head.d(),
          .scale = head.args.scale,
          .powers = head.powers(),
          .state = nullptr};
}

void QueryGradients(const Kernels& kernels, const Head& head, const Buffers& buffers) {
  const float* state = nullptr;
  if (const float* anchor = head.state(head.feed.anchor); anchor != nullptr) {
    kernels.moves->transpose(anchor, head.d(), buffers.state);
    state = buffers.state;
  }
  for (int64_t row = 0; row < head.feed.rows; row += kChunk) {
    kernels.moves->swap(head.keys(row / kChunk), head.values(row / kChunk), head.d(), buffers.keys,
                        buffers.values);
    LightningChunk chunk = Chunk(head, std::min(kChunk, head.feed.rows - row), buffers);
    chunk.q = head.feed.dout + head.at(row);
    chunk.out = head.feed.dq + head.at(row);
    chunk.state = state;
    kernels.products->rows(chunk, buffers.kernel);
    if (row + kChunk < head.feed.rows) {
      kernels.products->fold(chunk, buffers.state, buffers.kernel);
      state = buffers.state;
    }
  }
}

// Folds a chunk whose positions from `rows` on are zero: lambda^rows takes the place of lambda^64.
void FoldPart(const Kernels& kernels, LightningChunk chunk, float* state, float* scratch) {
  float powers[DecayTable::kStride] = {};
  std::copy_n(chunk.powers, chunk.rows + 1, powers + kChunk - chunk.rows);
  chunk.powers = powers;
  kernels.products->fold(chunk, state, scratch);
}

void KeyValueGradients(const Kernels& kernels, const Head& head, const Buffers& buffers) {
  const LightningBackwardFeed& feed = head.feed;
  const int64_t d = head.d();
  const int64_t padded = head.args.kv.padded_dim();
  const float factor = head.args.scale * head.powers()[1];
  const float* state = nullptr;
  if (const float* last = head.state(feed.last_gradient); last != nullptr) {
    kernels.moves->scale(last, d, 1.0f / factor, buffers.state);
    state = buffers.state;
  }
  for (int64_t c = (feed.rows - 1) / kChunk; c >= 0; --c) {
    const int64_t count = std::min(kChunk, feed.rows - c * kChunk);
    const int64_t first = head.at(c * kChunk);
    const int64_t last = head.at(c * kChunk + count - 1);
    LightningChunk chunk = Chunk(head, count, buffers);
    chunk.q = buffers.rows + (count - 1) * padded;
    chunk.out = buffers.out + (count - 1) * padded;
    chunk.stride = -padded;

    kernels.moves->value_rows(head.values(c), count, d, buffers.rows);
    kernels.moves->to_keys(feed.dout + last, -head.stride(), count, d, buffers.keys);
    kernels.moves->to_values(feed.q + last, -head.stride(), count, d, buffers.values);
    if (state != nullptr) {
      kernels.moves->transpose(state, d, buffers.transposed);
      chunk.state = buffers.transposed;
    }
    kernels.products->rows(chunk, buffers.kernel);
    kernels.moves->put_rows(buffers.out, count, d, feed.dk + first, head.stride());

    kernels.moves->key_rows(head.keys(c), count, d, buffers.rows);
    kernels.moves->to_keys(feed.q + last, -head.stride(), count, d, buffers.keys);
    kernels.moves->to_values(feed.dout + last, -head.stride(), count, d, buffers.values);
    chunk.state = state;
    kernels.products->rows(chunk, buffers.kernel);
    kernels.moves->put_rows(buffers.out, count, d, feed.dv + first, head.stride());
    if (c > 0 || feed.danchor != nullptr) {
      FoldPart(kernels, chunk, buffers.state, buffers.kernel);
      state = buffers.state;
    }
  }
  if (feed.danchor != nullptr) {
    kernels.moves->scale(state, d, factor, feed.danchor + head.head * d * d);
  }
}

}  // namespace

void LightningBackward(Context& context, const LightningBackwardArgs& args) {
  RINGLET_CHECK(args.kv.type == KvType::kF32, "lightning tails are fp32");
  const Kernels kernels{&SelectKernels(LightningTables(), context.isa),
                        &SelectKernels(LightningBackwardTables(), context.isa)};
  const int64_t heads = args.kv.kv_heads;
  const auto floats = static_cast<size_t>(ScratchFloats(args.kv));
  // Both directions of every head of every feed.
  context.pool.ParallelFor(
      static_cast<int64_t>(args.feeds.size()) * heads * 2, [&](int64_t i, int thread) {
        const Head head{args, args.feeds[static_cast<size_t>(i / 2 / heads)], i / 2 % heads};
        const Buffers buffers = Divide(context.ThreadScratch(thread, floats), args.kv);
        (i % 2 == 0 ? QueryGradients : KeyValueGradients)(kernels, head, buffers);
      });
}

}  // namespace ringlet
