// Timing operators.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "bench/op_case.h"
#include "bench/spread.h"
#include "ops/limits/limits.h"

namespace ringlet {

enum class OpBound { kNone, kMemory, kCompute };

struct OpFloor {
  double seconds = 0;
  OpBound bound = OpBound::kNone;
};

// The larger of bytes over read bandwidth and operations over the peaks of their units.
OpFloor FloorOf(const OpWork& work, const MachineRates& rates);

struct OpTiming {
  Spread seconds;  // of one run
  int samples = 0;
};

// Runs for about `budget` seconds, in at least three samples. A sample is the mean of enough runs
// to outweigh the clock.
OpTiming TimeOp(Context& context, const OpCase& op, double budget);

struct OpResult {
  std::string op;
  std::string shape;
  OpWork work;
  double per_token = 0;
  OpTiming timing;
  OpFloor floor;          // with the bandwidth probed beside it
  double read_bytes = 0;  // that bandwidth, bytes per second
};

// Times every case, and frees what it needed. `progress` may be empty.
std::vector<OpResult> MeasureOps(Context& context, std::vector<OpCase> cases,
                                 const MachineLimits& limits, const ReadProbe& probe, double budget,
                                 const std::function<void(size_t done, size_t total)>& progress);

// Seconds of a decode step of one sequence, as far as these operators make it up.
double TokenSeconds(const std::vector<OpResult>& results);

}  // namespace ringlet
