#include "ops/testing/machine_limits.h"

#include <benchmark/benchmark.h>

#include "base/check.h"
#include "ops/limits/limits.h"

namespace ringlet::testing {
namespace {

MachineRates MeasureOneThread() {
  Context context(IsaChoice::Detect(), 1);
  const Result<ReadProbe> probe = ReadProbe::Create(context);
  RINGLET_CHECK(probe.ok(), "memory for the bandwidth probe");
  return MeasureLimits(context, probe.value()).one_thread;
}

}  // namespace

void ReportLimits(benchmark::State& state, double flops_per_run, double bytes_per_run) {
  static const MachineRates limits = MeasureOneThread();
  const auto rate = [&](double per_run) {
    return benchmark::Counter(per_run, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["flop/s"] = rate(flops_per_run);
  state.counters["bytes/s"] = rate(bytes_per_run);
  state.counters["of_fma_peak"] = rate(flops_per_run / limits.fp32_ops);
  state.counters["of_read_limit"] = rate(bytes_per_run / limits.read_bytes);
}

}  // namespace ringlet::testing
