#include "cli/bench_run.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/rng.h"
#include "engine/synthetic.h"
#include "model/packed.h"

namespace ringlet::cli {
namespace {

// A probe beside a point: the best of this many passes.
constexpr int kProbePasses = 3;
// Decode steps with and without the head, to tell its time from the layers'.
constexpr int kHeadPairs = 8;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<int32_t> RandomTokens(const Model& model, int64_t count, Rng* rng) {
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t& token : tokens) {
    token = static_cast<int32_t>(rng->Below(static_cast<uint64_t>(model.config().vocab)));
  }
  return tokens;
}

// One new token for every sequence.
Status DecodeStep(Engine& engine, std::vector<Sequence>& sequences, Rng* rng,
                  LogitRows rows = LogitRows::kLast) {
  const std::vector<int32_t> tokens =
      RandomTokens(engine.model(), static_cast<int64_t>(sequences.size()), rng);
  std::vector<Feed> feeds(sequences.size());
  for (size_t i = 0; i < sequences.size(); ++i) {
    feeds[i].sequence = &sequences[i];
    feeds[i].tokens = std::span(tokens).subspan(i, 1);
    feeds[i].rows = rows;
  }
  return engine.Step(feeds);
}

// Seconds that the logits of a decode step take: the difference of medians.
Result<double> TimeHead(Engine& engine, std::vector<Sequence>& sequences, Rng* rng) {
  std::vector<double> with;
  std::vector<double> without;
  for (int i = 0; i < kHeadPairs; ++i) {
    double begin = Now();
    RINGLET_RETURN_IF_ERROR(DecodeStep(engine, sequences, rng));
    with.push_back(Now() - begin);
    begin = Now();
    RINGLET_RETURN_IF_ERROR(DecodeStep(engine, sequences, rng, LogitRows::kNone));
    without.push_back(Now() - begin);
  }
  return std::max(0.0, SpreadOf(with).median - SpreadOf(without).median);
}

struct Run {
  std::vector<double> seconds;  // of each timed step; prefill: of all tokens
  double experts = 0;           // decode: read in a step, on average
  double head_seconds = 0;  // of logits, in all of that time; counted if layers are to be scaled
};

Result<Run> RunDecode(const LoadedModel& loaded, Context& context, const BenchPoint& point,
                      Rng* rng) {
  std::vector<Sequence> sequences;
  for (int64_t i = 0; i < point.batch; ++i) {
    RINGLET_ASSIGN_OR_RETURN(Sequence sequence,
                             SyntheticSequence(*loaded.model, context, point.depth, rng->Next()));
    sequences.push_back(std::move(sequence));
  }
  // The first step allocates.
  RINGLET_RETURN_IF_ERROR(DecodeStep(*loaded.engine, sequences, rng));
  Run run;
  const int64_t before = loaded.engine->experts_read();
  for (int64_t i = 0; i < point.tokens; ++i) {
    const double begin = Now();
    RINGLET_RETURN_IF_ERROR(DecodeStep(*loaded.engine, sequences, rng));
    run.seconds.push_back(Now() - begin);
  }
  run.experts = static_cast<double>(loaded.engine->experts_read() - before) /
                static_cast<double>(point.tokens);
  if (point.layer_factor != 1) {
    RINGLET_ASSIGN_OR_RETURN(const double head, TimeHead(*loaded.engine, sequences, rng));
    run.head_seconds = head * static_cast<double>(point.tokens);
  }
  return run;
}

Result<Run> RunPrefill(const LoadedModel& loaded, Context& context, const BenchPoint& point,
                       Rng* rng) {
  const std::vector<int32_t> tokens = RandomTokens(*loaded.model, point.tokens, rng);
  std::vector<Sequence> sequences;
  RINGLET_ASSIGN_OR_RETURN(Sequence sequence,
                           SyntheticSequence(*loaded.model, context, point.depth, rng->Next()));
  sequences.push_back(std::move(sequence));
  Feed feed;
  feed.sequence = &sequences[0];
  feed.tokens = tokens;
  Run run;
  const double begin = Now();
  RINGLET_RETURN_IF_ERROR(loaded.engine->Step(std::span(&feed, 1)));
  run.seconds.push_back(Now() - begin);
  if (point.layer_factor != 1) {
    RINGLET_ASSIGN_OR_RETURN(run.head_seconds, TimeHead(*loaded.engine, sequences, rng));
  }
  return run;
}

}  // namespace

std::vector<BenchPoint> PlanPoints(const BenchPlan& plan, const Model& model, int64_t layers) {
  std::vector<BenchPoint> points;
  const PackedModel& packed = model.packed();
  const double factor =
      layers == 0 ? 1 : static_cast<double>(layers) / static_cast<double>(packed.blocks.size());
  for (const Prompt& prompt : plan.prefill) {
    BenchPoint point;
    point.kind = BenchPoint::Kind::kPrefill;
    point.tokens = prompt.tokens;
    point.depth = prompt.depth;
    point.layer_factor = factor;
    point.cost = CostOfPrefill(packed, prompt.depth, prompt.tokens, plan.step_rows);
    points.push_back(std::move(point));
  }
  const auto add_decode = [&](int64_t depth, int64_t batch) {
    for (const BenchPoint& other : points) {
      if (other.kind == BenchPoint::Kind::kDecode && other.depth == depth && other.batch == batch) {
        return;
      }
    }
    BenchPoint point;
    point.tokens = plan.decode_tokens;
    point.depth = depth;
    point.batch = batch;
    point.layer_factor = factor;
    // The first token after `depth` warms up.
    point.cost = MeanDecodeCost(packed, batch, depth + 1, plan.decode_tokens);
    points.push_back(std::move(point));
  };
  for (const int64_t depth : plan.depths) add_decode(depth, 1);
  for (const int64_t batch : plan.batches) add_decode(plan.batch_depth, batch);
  return points;
}

Status CheckLayers(const Model& model, int64_t layers) {
  const auto there = std::ssize(model.packed().blocks);
  if (layers == 0 || layers == there) return Status::Ok();
  const std::string found = fmt::format("{} for {} layers", layers, there);
  if (layers < there) return BadInput("--scale-layers", "", found, "as many layers or more");
  if (LayersAlike(model.packed())) return Status::Ok();
  return BadInput("--scale-layers", "", found, "a model whose layers are all alike");
}

Status MeasurePoint(const LoadedModel& loaded, Context& context, const MachineLimits& limits,
                    const ReadProbe& probe, uint64_t seed, BenchPoint* point) {
  Rng rng(seed);
  const bool prefill = point->kind == BenchPoint::Kind::kPrefill;
  const double before = probe.AllThreads(context, kProbePasses);
  BenchSample sample;
  StepCost cost = point->cost;
  RINGLET_ASSIGN_OR_RETURN(const Run run, prefill ? RunPrefill(loaded, context, *point, &rng)
                                                  : RunDecode(loaded, context, *point, &rng));
  if (!prefill) {
    sample.experts = run.experts;
    cost = WithExperts(cost, run.experts);
  }
  const double seconds = std::accumulate(run.seconds.begin(), run.seconds.end(), 0.0);
  const double more = (point->layer_factor - 1) * std::max(0.0, seconds - run.head_seconds);
  // A probe that something disturbed must not flatter the point.
  MachineRates rates = limits.all_threads;
  rates.read_bytes = std::max(before, probe.AllThreads(context, kProbePasses));
  const auto tokens = static_cast<double>(point->tokens * point->batch);
  sample.tokens_per_second = tokens / std::max(seconds, 1e-9);
  sample.whole_tokens_per_second = tokens / std::max(seconds + more, 1e-9);
  sample.roofline = Roofline(*point, cost, rates);
  sample.whole_roofline = Roofline(
      *point, WithLayers(loaded.model->packed(), cost, point->batch, point->layer_factor), rates);
  sample.read_bytes = rates.read_bytes;
  point->samples.push_back(sample);
  return Status::Ok();
}

double Roofline(const BenchPoint& point, const StepCost& cost, const MachineRates& rates) {
  const bool prefill = point.kind == BenchPoint::Kind::kPrefill;
  const int64_t tokens = prefill ? point.tokens : point.batch;
  return static_cast<double>(tokens) / FloorSeconds(cost, rates);
}

int64_t SequenceBytes(const BenchPoint& point, const Model& model) {
  const PackedModel& packed = model.packed();
  const bool prefill = point.kind == BenchPoint::Kind::kPrefill;
  // The step that warms up counts too, and those that tell the head's time.
  const int64_t more = (prefill ? 0 : 1) + (point.layer_factor == 1 ? 0 : 2 * kHeadPairs);
  const int64_t length = point.depth + point.tokens + more;
  const KvLayout& kv = packed.lightning_kv;
  // Two anchors: the one before the last completed chunk may be kept for restarts.
  const int64_t anchors = 2 * 4 * kv.kv_heads * kv.head_dim * kv.head_dim;
  const int64_t states = packed.lightning_layers * (anchors + kv.block_bytes());
  return point.batch * (PageBytes(model, length) + states);
}

Result<double> TimeToken(const LoadedModel& loaded, Context& context, int64_t depth,
                         int64_t steps) {
  Rng rng(1);
  BenchPoint point;
  point.depth = depth;
  point.tokens = steps;
  RINGLET_ASSIGN_OR_RETURN(const Run run, RunDecode(loaded, context, point, &rng));
  return SpreadOf(run.seconds).median;
}

}  // namespace ringlet::cli
