#include "ops/testing/machine_limits.h"

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "ops/limits/limits.h"

namespace ringlet::testing {
namespace {

MachineRates Measure(int threads) {
  Context context(IsaChoice::Detect(), threads);
  const Result<ReadProbe> probe = ReadProbe::Create(context);
  RINGLET_CHECK(probe.ok(), "memory for the bandwidth probe");
  const MachineLimits limits = MeasureLimits(context, probe.value());
  return threads == 1 ? limits.one_thread : limits.all_threads;
}

}  // namespace

void ReportLimits(benchmark::State& state, double flops_per_run, double bytes_per_run,
                  int threads) {
  static const MachineRates one = Measure(1);
  static const MachineRates all = threads == 1 ? one : Measure(threads);
  const MachineRates& limits = threads == 1 ? one : all;
  const auto rate = [&](double per_run) {
    return benchmark::Counter(per_run, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["flop/s"] = rate(flops_per_run);
  state.counters["bytes/s"] = rate(bytes_per_run);
  state.counters["of_fma_peak"] = rate(flops_per_run / limits.fp32_ops);
  state.counters["of_read_limit"] = rate(bytes_per_run / limits.read_bytes);
}

}  // namespace ringlet::testing
