// Lightning attention on one thread, 16 heads of 128. Floors: decode reads the anchor and the tail
// (an anchor is 1 MiB: several sequences are walked so that it comes from memory); prefill is bound
// by multiply-adds.
#include "ops/lightning/lightning.h"

#include <benchmark/benchmark.h>

#include "ops/lightning/lightning_backward.h"
#include "ops/testing/kv_data.h"
#include "ops/testing/machine_limits.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

constexpr int64_t kHeads = 16;
constexpr int64_t kDim = 128;
constexpr int64_t kWidth = kHeads * kDim;

LightningArgs MakeArgs(DecayTable* decay) {
  std::vector<double> log_lambda;
  for (int64_t h = 0; h < kHeads; ++h) log_lambda.push_back(-0.5 / static_cast<double>(h + 1));
  *decay = MakeDecayTable(log_lambda);
  return {{KvType::kF32, kHeads, kDim}, 0.088f, decay, {}};
}

void BenchLightningDecode(benchmark::State& state) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  DecayTable decay;
  LightningArgs args = MakeArgs(&decay);
  const int64_t slot = state.range(0);
  constexpr size_t kSequences = 48;
  KvSequence kv(args.kv, 64 * static_cast<int64_t>(kSequences));
  kv.FillNormal(&rng, 64 * static_cast<int64_t>(kSequences));
  const std::vector<float> q = NormalFloats(&rng, kWidth);
  std::vector<std::vector<float>> anchors(kSequences, NormalFloats(&rng, kWidth * kDim));
  std::vector<float> out(q.size());
  size_t next = 0;
  for (auto _ : state) {
    const LightningFeed feed{.q = q.data(),
                             .out = out.data(),
                             .rows = 1,
                             .first_slot = slot,
                             .chunks = kv.blocks() + next,
                             .anchor = anchors[next].data(),
                             .next_anchor = nullptr};
    args.feeds = std::span(&feed, 1);
    Lightning(context, args);
    next = (next + 1) % kSequences;
    benchmark::DoNotOptimize(out.data());
  }
  ReportLimits(state, static_cast<double>(2 * kWidth * kDim + 4 * kWidth * (slot + 1)),
               static_cast<double>(4 * kWidth * kDim + args.kv.block_bytes()));
}
BENCHMARK(BenchLightningDecode)->ArgName("slot")->Arg(0)->Arg(31)->Arg(62);

void BenchLightningPrefill(benchmark::State& state) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  DecayTable decay;
  LightningArgs args = MakeArgs(&decay);
  const int64_t rows = state.range(0);
  KvSequence kv(args.kv, rows);
  kv.FillNormal(&rng, rows);
  const std::vector<float> q = NormalFloats(&rng, rows * kWidth);
  std::vector<float> anchor = NormalFloats(&rng, kWidth * kDim);
  std::vector<float> next(anchor.size());
  std::vector<float> out(q.size());
  const LightningFeed feed{.q = q.data(),
                           .out = out.data(),
                           .rows = rows,
                           .first_slot = 0,
                           .chunks = kv.blocks(),
                           .anchor = anchor.data(),
                           .next_anchor = next.data()};
  args.feeds = std::span(&feed, 1);
  for (auto _ : state) {
    Lightning(context, args);
    benchmark::DoNotOptimize(out.data());
  }
  // Scores and values of the chunk's earlier rows (half of 64), the state's part, and the fold.
  ReportLimits(state, static_cast<double>(rows * kWidth) * (4.0 * 32.5 + 4.0 * kDim),
               static_cast<double>(rows * kWidth * (4 + 4 + 2 + 2)));
}
BENCHMARK(BenchLightningPrefill)->ArgName("rows")->Arg(512)->Arg(4096);

// The gradient of one document. Floor: five products with states, six with rows of the chunk.
void BenchLightningBackward(benchmark::State& state) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  DecayTable decay;
  const LightningArgs forward = MakeArgs(&decay);
  const int64_t rows = state.range(0);
  KvSequence kv(forward.kv, rows);
  kv.FillNormal(&rng, rows);
  const std::vector<float> q = NormalFloats(&rng, rows * kWidth);
  const std::vector<float> dout = NormalFloats(&rng, rows * kWidth);
  std::vector<float> dq(q.size());
  std::vector<float> dk(q.size());
  std::vector<float> dv(q.size());
  LightningBackwardFeed feed;
  feed.q = q.data();
  feed.dout = dout.data();
  feed.rows = rows;
  feed.chunks = kv.blocks();
  feed.dq = dq.data();
  feed.dk = dk.data();
  feed.dv = dv.data();
  const LightningBackwardArgs args{forward.kv, forward.scale, &decay, std::span(&feed, 1)};
  for (auto _ : state) {
    LightningBackward(context, args);
    benchmark::DoNotOptimize(dq.data());
  }
  ReportLimits(state, static_cast<double>(rows * kWidth) * (12.0 * 32.5 + 10.0 * kDim),
               static_cast<double>(rows * kWidth * 7 * 4));
}
BENCHMARK(BenchLightningBackward)->ArgName("rows")->Arg(512)->Arg(4096);

}  // namespace
}  // namespace ringlet
