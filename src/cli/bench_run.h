// Measuring a loaded model: prefill at several lengths, decode at several depths and batch sizes,
// each held against its floor (model/cost.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/spread.h"
#include "cli/bench_lists.h"
#include "cli/load.h"
#include "model/cost.h"
#include "ops/limits/limits.h"

namespace ringlet::cli {

struct BenchPlan {
  std::vector<Prompt> prefill = {{512}, {2048}, {8192}};
  std::vector<int64_t> depths = {0, 4096, 16384, 65536};  // decode, one sequence
  std::vector<int64_t> batches = {1, 4, 16};              // decode, at batch_depth
  int64_t batch_depth = 0;
  int64_t decode_tokens = 32;  // per repetition, of each sequence
  int64_t reps = 3;
  int64_t step_rows = 512;
};

// One repetition of one point.
struct BenchSample {
  double tokens_per_second = 0;
  double roofline = 0;  // tokens per second, with the bandwidth probed beside it
  double read_bytes = 0;
  // Decode: routed experts that a step's rows chose, summed over layers, mean over the steps.
  double experts = 0;
  // What the speed and its roofline would be with all layers of a model of which only some are
  // there; equal to those above when they are all there.
  double whole_tokens_per_second = 0;
  double whole_roofline = 0;
};

struct BenchPoint {
  enum class Kind { kPrefill, kDecode };
  Kind kind = Kind::kDecode;
  int64_t tokens = 0;  // computed in a repetition, of each sequence
  int64_t depth = 0;   // before the first of them
  int64_t batch = 1;
  double layer_factor = 1;  // layers of the whole model over those that are there
  StepCost cost;            // prefill: of all tokens; decode: mean of one step
  std::vector<BenchSample> samples;
};

// Points of `plan` in the order of the report. `model` has the first of `layers` layers (0: all).
std::vector<BenchPoint> PlanPoints(const BenchPlan& plan, const Model& model, int64_t layers);

// Whether the speed of a model of `layers` layers (0: as many) follows from that of `model`: it has
// as many, or fewer that are all alike.
Status CheckLayers(const Model& model, int64_t layers);

// One repetition of `point`, added to its samples.
Status MeasurePoint(const LoadedModel& loaded, Context& context, const MachineLimits& limits,
                    const ReadProbe& probe, uint64_t seed, BenchPoint* point);

// Tokens per second if the floor of `cost` were reached.
double Roofline(const BenchPoint& point, const StepCost& cost, const MachineRates& rates);

// Bytes of keys, values and states that `point` holds at its end.
int64_t SequenceBytes(const BenchPoint& point, const Model& model);

// Seconds of a decode step of one sequence at `depth`: the median of `steps`.
Result<double> TimeToken(const LoadedModel& loaded, Context& context, int64_t depth, int64_t steps);

}  // namespace ringlet::cli
