// Norms over rows that do not fit the caches together. Floor: x is read and y written once.
#include "ops/norm/norm.h"

#include <benchmark/benchmark.h>

#include "ops/testing/machine_limits.h"
#include "ops/testing/random.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

void BenchRmsNorm(benchmark::State& state) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  const int64_t n = state.range(0);
  const int64_t rows = state.range(1);
  const std::vector<float> x = NormalFloats(&rng, rows * n);
  const std::vector<float> weight = NormalFloats(&rng, n);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    RmsNorm(context, {x.data(), weight.data(), y.data(), rows, n, 1e-6f});
    benchmark::DoNotOptimize(y.data());
  }
  ReportLimits(state, 4.0 * static_cast<double>(rows * n), 8.0 * static_cast<double>(rows * n));
}
BENCHMARK(BenchRmsNorm)->ArgNames({"n", "rows"})->Args({2048, 1})->Args({2048, 8192});

void BenchGroupNormGate(benchmark::State& state) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  const int64_t n = state.range(0);
  const int64_t rows = state.range(1);
  const std::vector<float> x = NormalFloats(&rng, rows * n);
  const std::vector<float> weight = NormalFloats(&rng, n);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    GroupNormGate(context, {x.data(), x.data(), weight.data(), y.data(), rows, n, 4, 1e-6f});
    benchmark::DoNotOptimize(y.data());
  }
  ReportLimits(state, 30.0 * static_cast<double>(rows * n), 12.0 * static_cast<double>(rows * n));
}
BENCHMARK(BenchGroupNormGate)->ArgNames({"n", "rows"})->Args({2048, 1})->Args({2048, 8192});

}  // namespace
}  // namespace ringlet
