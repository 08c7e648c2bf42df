// SwiGLU. Floor: gate and up are read and y written once.
#include "ops/swiglu/swiglu.h"

#include <benchmark/benchmark.h>

#include "ops/testing/machine_limits.h"
#include "ops/testing/random.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

void BenchSwiGlu(benchmark::State& state) {
  Context context(IsaChoice::Detect(), 1);
  Rng rng(1);
  const int64_t n = state.range(0);
  const int64_t rows = state.range(1);
  const std::vector<float> x = NormalFloats(&rng, rows * 2 * n);
  std::vector<float> y(static_cast<size_t>(rows * n));
  for (auto _ : state) {
    SwiGlu(context, x.data(), rows, n, y.data());
    benchmark::DoNotOptimize(y.data());
  }
  // An exponential is a polynomial of degree 6 and a range reduction.
  ReportLimits(state, 28.0 * static_cast<double>(rows * n), 12.0 * static_cast<double>(rows * n));
}
BENCHMARK(BenchSwiGlu)->ArgNames({"n", "rows"})->Args({512, 8})->Args({5120, 2048});

}  // namespace
}  // namespace ringlet
