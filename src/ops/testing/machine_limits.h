// What this machine can do, measured in the benchmark itself: the floors that operators are held
// against.
#pragma once

#include <string>

#include "ops/context.h"

namespace benchmark {
class State;
}

namespace ringlet::testing {

struct MachineLimits {
  double flops;       // fp32 multiply-adds of the widest set that `isa` allows, one thread, 2 each
  double read_bytes;  // bytes per second read from memory, one thread
};

// Measured once, in CPU time of this thread: other processes' share does not count.
const MachineLimits& MeasuredLimits();

// Reports flop/s and bytes/s, and their ratios to the limits; the larger ratio tells which of the
// two bounds the operator.
void ReportLimits(benchmark::State& state, double flops_per_run, double bytes_per_run);

}  // namespace ringlet::testing
