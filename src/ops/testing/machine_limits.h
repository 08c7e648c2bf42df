// Counters that hold a benchmark against what this machine can do (ops/limits).
#pragma once

namespace benchmark {
class State;
}

namespace ringlet::testing {

// Reports flop/s and bytes/s, and their ratios to the fp32 peak and the read bandwidth of one
// thread, or of `threads` together; the larger ratio tells which of the two bounds the operator.
// The limits are measured at the first call, for its number of threads.
void ReportLimits(benchmark::State& state, double flops_per_run, double bytes_per_run,
                  int threads = 1);

}  // namespace ringlet::testing
