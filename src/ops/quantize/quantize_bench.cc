// Choosing 4-bit codes. Floor: the arithmetic of 16 steps for each value, 8 operations each.
#include "ops/quantize/quantize.h"

#include <benchmark/benchmark.h>

#include "ops/testing/machine_limits.h"
#include "ops/testing/random.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

void BenchFitInt4(benchmark::State& state) {
  Rng rng(1);
  const int64_t n = 2048;
  const std::vector<float> x = NormalFloats(&rng, n, 150.0);
  const std::vector<float> weight(static_cast<size_t>(n), 0.5f);
  std::vector<int8_t> codes(static_cast<size_t>(n));
  std::vector<float> steps(static_cast<size_t>(n));
  const IsaChoice isa = IsaChoice::Detect();
  const FitInt4Args args = {.x = x.data(),
                            .weight = state.range(1) == 0 ? nullptr : weight.data(),
                            .n = n,
                            .group = state.range(0),
                            .codes = codes.data(),
                            .steps = steps.data()};
  for (auto _ : state) {
    FitInt4(isa, args);
    benchmark::DoNotOptimize(codes.data());
  }
  ReportLimits(state, 8.0 * 16 * static_cast<double>(n), 4.0 * static_cast<double>(n));
}
BENCHMARK(BenchFitInt4)
    ->ArgNames({"group", "weighted"})
    ->Args({16, 0})
    ->Args({16, 1})
    ->Args({128, 0});

}  // namespace
}  // namespace ringlet
