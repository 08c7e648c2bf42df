// Softmax attention, mini shape: 16 query heads over 4 kv heads of 128. Floors:
// decode reads K and V once (memory bandwidth; from a few thousand positions on they are larger
// than the caches); a prefill chunk is bound by 4 * D * length flops per head and row, of which the
// integer products of INT8 keys and values can do twice as many as the fp32 peak.
#include "ops/attention/attention.h"

#include <benchmark/benchmark.h>

#include "ops/attention/attention_backward.h"
#include "ops/testing/kv_data.h"
#include "ops/testing/machine_limits.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

void BenchAttention(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(3));
  Context context(IsaChoice::Detect(), threads);
  Rng rng(1);
  const int64_t length = state.range(0);
  const int64_t count = state.range(1);
  AttentionArgs args;
  args.heads = 16;
  args.kv = {state.range(2) == 8 ? KvType::kInt8 : KvType::kBf16, 4, 128};
  args.scale = 0.088f;
  KvSequence kv(args.kv, length);
  kv.FillRepeating(&rng, length, 1024);
  const int64_t width = args.heads * args.kv.head_dim;
  const std::vector<float> q = NormalFloats(&rng, count * width);
  std::vector<float> out(q.size());
  std::vector<AttentionRow> rows;
  double positions = 0;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back(
        {q.data() + i * width, out.data() + i * width, kv.blocks(), length - count + 1 + i});
    positions += static_cast<double>(rows.back().length);
  }
  args.rows = rows;
  for (auto _ : state) {
    Attention(context, args);
    benchmark::DoNotOptimize(out.data());
  }
  ReportLimits(state, 4.0 * static_cast<double>(width) * positions,
               static_cast<double>(args.kv.block_bytes() * (length / kBlockPositions)), threads);
}
void BenchAttentionThreads(benchmark::State& state) { BenchAttention(state); }

BENCHMARK(BenchAttention)
    ->ArgNames({"length", "rows", "bits", "threads"})
    ->ArgsProduct({{4096, 16384, 65536, 131072}, {1}, {16, 8}, {1}})
    ->ArgsProduct({{512, 4096, 16384}, {256}, {16, 8}, {1}});
// Wall-clock time, against what all threads read together.
BENCHMARK(BenchAttentionThreads)
    ->ArgNames({"length", "rows", "bits", "threads"})
    ->ArgsProduct({{4096, 16384, 65536, 131072}, {1}, {16, 8}, {2}})
    ->UseRealTime();

// The gradient of one document. Floor: 5 products of 2 * D flops for each head, row and position
// that it sees.
void BenchAttentionBackward(benchmark::State& state) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  const int64_t rows = state.range(0);
  AttentionBackwardArgs args;
  args.heads = 8;
  args.kv = {KvType::kBf16, 2, 128};
  args.scale = 0.088f;
  KvSequence kv(args.kv, rows);
  kv.FillNormal(&rng, rows);
  const int64_t width = args.heads * args.kv.head_dim;
  const std::vector<float> q = NormalFloats(&rng, rows * width);
  const std::vector<float> dout = NormalFloats(&rng, rows * width);
  // Not those of the forward pass, which takes as long.
  const std::vector<float> lse(static_cast<size_t>(rows * args.heads), 10.0f);
  std::vector<float> dq(q.size());
  std::vector<float> dk(static_cast<size_t>(rows * args.kv.kv_heads * args.kv.head_dim));
  std::vector<float> dv(dk.size());
  const AttentionBackwardFeed feed{q.data(),    dout.data(), lse.data(), dout.data(), rows,
                                   kv.blocks(), dq.data(),   dk.data(),  dv.data()};
  args.feeds = std::span(&feed, 1);
  for (auto _ : state) {
    AttentionBackward(context, args);
    benchmark::DoNotOptimize(dq.data());
  }
  ReportLimits(state,
               10.0 * static_cast<double>(width) * static_cast<double>(rows * (rows + 1) / 2),
               static_cast<double>(16 * rows * width));
}
BENCHMARK(BenchAttentionBackward)->ArgName("rows")->Arg(512)->Arg(2048);

}  // namespace
}  // namespace ringlet
