#include "bench/op_measure.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace ringlet {
namespace {

constexpr double kSampleSeconds = 200e-6;
constexpr int64_t kMaxRuns = 4096;
constexpr size_t kMinSamples = 3;
constexpr size_t kMaxSamples = 301;
constexpr int kProbePasses = 2;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Mean seconds of `runs` runs.
double Sample(const OpRun& op, int64_t runs) {
  const double begin = Now();
  for (int64_t i = 0; i < runs; ++i) op.run();
  return (Now() - begin) / static_cast<double>(runs);
}

}  // namespace

OpFloor FloorOf(const OpWork& work, const MachineRates& rates) {
  const double memory = work.bytes / rates.read_bytes;
  const double compute = work.int8_ops / rates.int8_ops + work.bf16_ops / rates.bf16_ops +
                         work.fp32_ops / rates.fp32_ops;
  if (memory <= 0 && compute <= 0) return {};
  return {.seconds = std::max(memory, compute),
          .bound = memory >= compute ? OpBound::kMemory : OpBound::kCompute};
}

OpTiming TimeOp(Context& context, const OpCase& op, double budget) {
  const OpRun run = op.make(context);
  const double start = Now();
  // The first run allocates, the second tells how long one takes.
  Sample(run, 1);
  if (run.before) run.before();
  const double once = std::max(Sample(run, 1), 1e-9);
  int64_t runs = 1;
  if (!run.before && once < kSampleSeconds) {
    runs = std::min(kMaxRuns, static_cast<int64_t>(kSampleSeconds / once) + 1);
  }
  std::vector<double> seconds;
  while (seconds.size() < kMinSamples || (seconds.size() < kMaxSamples && Now() - start < budget)) {
    if (run.before) run.before();
    seconds.push_back(Sample(run, runs));
  }
  OpTiming timing;
  timing.samples = static_cast<int>(seconds.size());
  timing.seconds = SpreadOf(std::move(seconds));
  return timing;
}

std::vector<OpResult> MeasureOps(Context& context, std::vector<OpCase> cases,
                                 const MachineLimits& limits, const ReadProbe& probe, double budget,
                                 const std::function<void(size_t, size_t)>& progress) {
  std::vector<OpResult> results;
  double before = probe.AllThreads(context, kProbePasses);
  for (OpCase& op : cases) {
    OpResult result;
    result.op = op.op;
    result.shape = op.shape;
    result.work = op.work;
    result.per_token = op.per_token;
    result.timing = TimeOp(context, op, budget);
    // A probe that something disturbed must not flatter the operator.
    const double after = probe.AllThreads(context, kProbePasses);
    MachineRates rates = limits.all_threads;
    rates.read_bytes = std::max(before, after);
    before = after;
    result.read_bytes = rates.read_bytes;
    result.floor = FloorOf(op.work, rates);
    results.push_back(std::move(result));
    op = {};
    if (progress) progress(results.size(), cases.size());
  }
  return results;
}

double TokenSeconds(const std::vector<OpResult>& results) {
  double seconds = 0;
  for (const OpResult& result : results) seconds += result.per_token * result.timing.seconds.median;
  return seconds;
}

}  // namespace ringlet
