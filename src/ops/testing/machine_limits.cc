#include "ops/testing/machine_limits.h"

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/cpu_features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ringlet::testing {
namespace {

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr int64_t kFmaRounds = 4'000'000;

#if defined(__x86_64__)
// Twelve independent chains hide the latency of the multiply-add.
__attribute__((target("avx2,fma"))) double RunFmaAvx2() {
  __m256 acc[12];
  for (__m256& a : acc) a = _mm256_setzero_ps();
  const __m256 x = _mm256_set1_ps(0.999f);
  for (int64_t i = 0; i < kFmaRounds; ++i) {
#pragma GCC unroll 12
    for (__m256& a : acc) a = _mm256_fmadd_ps(a, x, x);
  }
  for (int i = 1; i < 12; ++i) acc[0] = _mm256_add_ps(acc[0], acc[i]);
  benchmark::DoNotOptimize(acc[0]);
  return static_cast<double>(kFmaRounds) * 12 * 8 * 2;
}
__attribute__((target("avx512f"))) double RunFmaAvx512() {
  __m512 acc[12];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  const __m512 x = _mm512_set1_ps(0.999f);
  for (int64_t i = 0; i < kFmaRounds; ++i) {
#pragma GCC unroll 12
    for (__m512& a : acc) a = _mm512_fmadd_ps(a, x, x);
  }
  for (int i = 1; i < 12; ++i) acc[0] = _mm512_add_ps(acc[0], acc[i]);
  benchmark::DoNotOptimize(acc[0]);
  return static_cast<double>(kFmaRounds) * 12 * 16 * 2;
}
#endif

double RunFmaPlain() {
  float acc[8] = {};
  for (int64_t i = 0; i < kFmaRounds; ++i) {
    for (float& a : acc) a = a * 0.999f + 0.999f;
  }
  benchmark::DoNotOptimize(acc);
  return static_cast<double>(kFmaRounds) * 8 * 2;
}

double RunFma() {
#if defined(__x86_64__)
  const uint32_t features = DetectCpu().features;
  if ((features & kCpuAvx512) != 0) return RunFmaAvx512();
  if ((features & kCpuAvx2Fma) != 0) return RunFmaAvx2();
#endif
  return RunFmaPlain();
}

// The best of several runs: disturbances only slow it down.
MachineLimits Measure() {
  MachineLimits limits{0, 0};
  for (int i = 0; i < 5; ++i) {
    const double begin = ThreadSeconds();
    const double flops = RunFma();
    limits.flops = std::max(limits.flops, flops / (ThreadSeconds() - begin));
  }
  // Larger than any cache.
  std::vector<uint64_t> memory(size_t{1} << 26, 1);
  for (int i = 0; i < 3; ++i) {
    const double begin = ThreadSeconds();
    uint64_t sums[8] = {};
    for (size_t j = 0; j < memory.size(); j += 8) {
      for (size_t lane = 0; lane < 8; ++lane) sums[lane] += memory[j + lane];
    }
    benchmark::DoNotOptimize(sums);
    const auto bytes = static_cast<double>(memory.size() * sizeof(uint64_t));
    limits.read_bytes = std::max(limits.read_bytes, bytes / (ThreadSeconds() - begin));
  }
  return limits;
}

}  // namespace

const MachineLimits& MeasuredLimits() {
  static const MachineLimits limits = Measure();
  return limits;
}

void ReportLimits(benchmark::State& state, double flops_per_run, double bytes_per_run) {
  const MachineLimits& limits = MeasuredLimits();
  const auto rate = [&](double per_run) {
    return benchmark::Counter(per_run, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["flop/s"] = rate(flops_per_run);
  state.counters["bytes/s"] = rate(bytes_per_run);
  state.counters["of_fma_peak"] = rate(flops_per_run / limits.flops);
  state.counters["of_read_limit"] = rate(bytes_per_run / limits.read_bytes);
}

}  // namespace ringlet::testing
