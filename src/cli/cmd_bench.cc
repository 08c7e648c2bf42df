// ringlet bench: speed at every depth, held against what the machine allows.
#include <charconv>

#include <fmt/format.h>

#include "base/memory.h"
#include "cli/args.h"
#include "cli/bench_report.h"
#include "cli/bench_run.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/version.h"
#include "model/packed.h"

namespace ringlet::cli {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 24;
constexpr int64_t kMaxBatch = 1024;
constexpr int64_t kMaxReps = 1000;

// "512,2048": integers from `least` to `most`. "none" is the empty list.
Result<std::vector<int64_t>> ParseList(const std::string& option, const std::string& text,
                                       int64_t least, int64_t most) {
  std::vector<int64_t> values;
  if (text == "none") return values;
  const char* at = text.data();
  const char* end = at + text.size();
  while (true) {
    int64_t value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value < least || value > most || (rest != end && *rest != ',')) {
      return BadInput(option, "", text,
                      fmt::format("integers from {} to {} between commas, or none", least, most));
    }
    values.push_back(value);
    if (rest == end) return values;
    at = rest + 1;
  }
}

class BenchCommand : public Command {
 public:
  std::string_view name() const override { return "bench"; }
  std::string_view summary() const override {
    return "Measure speed, as a share of what the machine allows";
  }
  std::string_view footer() const override {
    return "Examples:\n  ringlet bench MODEL --prefill 512 --depth 0,16384 --batch none\n"
           "  ringlet bench MODEL OTHER --json\n"
           "Two models are measured in alternation; the ratio is to the first.";
  }

  void Declare(Args& args) override {
    args.Positional("MODEL", request_.path, "Checkpoint directory or GGUF file");
    args.OptionalPositional("OTHER", other_, "A model to compare with");
    args.Option("--prefill", prefill_, "LIST", "Prompt lengths [512,2048,8192]");
    args.Option("--depth", depth_, "LIST", "Context lengths to decode at [0,4096,16384,65536]");
    args.Option("--batch", batch_, "LIST", "Sequences decoding together [1,4,16]");
    args.Option("--batch-depth", plan_.batch_depth, "N", "Context length of each of them [0]");
    args.Option("--decode", plan_.decode_tokens, "N", "Tokens to decode at each point [32]");
    args.Option("--reps", plan_.reps, "N", "Repetitions of everything [3]");
    args.Option("--compute", request_.compute, "TYPE", "Arithmetic: bf16 or f32 [bf16]");
    args.Option("--kv-dtype", request_.kv_dtype, "TYPE", "Keys and values: bf16 or int8 [bf16]");
    args.Flag("--json", json_, "Print one JSON object");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (const Status status = CheckArguments(); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    std::vector<std::string> paths = {request_.path};
    if (!other_.empty()) paths.push_back(other_);
    RINGLET_ASSIGN_OR_RETURN(const IsaChoice isa, ChooseIsa(globals));
    Context context(isa, ThreadCount(globals));
    std::vector<LoadedModel> models;
    std::vector<BenchResult> results;
    for (const std::string& path : paths) {
      Result<Checkpoint> checkpoint = OpenCheckpoint(path);
      if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
      RINGLET_ASSIGN_OR_RETURN(LoadedModel loaded,
                               PackModel(std::move(checkpoint).value(), request_, globals));
      BenchResult result;
      result.path = path;
      result.load_seconds = loaded.pack_seconds;
      result.packed_bytes = static_cast<int64_t>(loaded.model->packed().bytes);
      result.points = PlanPoints(plan_, *loaded.model);
      results.push_back(std::move(result));
      models.push_back(std::move(loaded));
    }
    RINGLET_ASSIGN_OR_RETURN(const ReadProbe probe, ReadProbe::Create(context));
    const MachineLimits limits = MeasureLimits(context, probe);
    RINGLET_RETURN_IF_ERROR(Measure(models, context, limits, probe, globals, &results));
    // Held by the probe, not by the models.
    const uint64_t peak = PeakResidentBytes();
    const auto held = static_cast<uint64_t>(probe.bytes());
    Print(limits, results, peak > held ? peak - held : 0);
    return {};
  }

 private:
  Status CheckArguments() {
    RINGLET_RETURN_IF_ERROR(CheckCompute(request_.compute));
    RINGLET_RETURN_IF_ERROR(CheckKvDtype(request_.kv_dtype));
    RINGLET_ASSIGN_OR_RETURN(plan_.prefill, ParseList("--prefill", prefill_, 1, kMaxTokens));
    RINGLET_ASSIGN_OR_RETURN(plan_.depths, ParseList("--depth", depth_, 0, kMaxTokens));
    RINGLET_ASSIGN_OR_RETURN(plan_.batches, ParseList("--batch", batch_, 1, kMaxBatch));
    struct Bound {
      const char* option;
      int64_t value;
      int64_t least;
      int64_t most;
    };
    for (const Bound& b : {Bound{"--batch-depth", plan_.batch_depth, 0, kMaxTokens},
                           Bound{"--decode", plan_.decode_tokens, 1, kMaxTokens},
                           Bound{"--reps", plan_.reps, 1, kMaxReps}}) {
      if (b.value >= b.least && b.value <= b.most) continue;
      return BadInput(b.option, "", fmt::format("{}", b.value),
                      fmt::format("{} to {}", b.least, b.most));
    }
    plan_.step_rows = request_.max_step_rows;
    return Status::Ok();
  }

  // Every repetition visits every point of every model, so that a slow minute hits all alike.
  Status Measure(const std::vector<LoadedModel>& models, Context& context,
                 const MachineLimits& limits, const ReadProbe& probe, const GlobalOptions& globals,
                 std::vector<BenchResult>* results) {
    // Progress counts microseconds of the floors.
    const auto work = [&](const BenchPoint& point) {
      const double steps =
          point.kind == BenchPoint::Kind::kPrefill ? 1.0 : static_cast<double>(point.tokens);
      return static_cast<uint64_t>(1e6 * steps * FloorSeconds(point.cost, limits.all_threads)) + 1;
    };
    uint64_t total = 0;
    for (const BenchResult& result : *results) {
      for (const BenchPoint& point : result.points) total += work(point);
    }
    total *= static_cast<uint64_t>(plan_.reps);
    Progress progress("Measuring", ProgressUnit::kShare, globals.quiet);
    uint64_t done = 0;
    uint64_t seed = 1;
    for (int64_t rep = 0; rep < plan_.reps; ++rep) {
      for (size_t i = 0; i < (*results)[0].points.size(); ++i) {
        for (size_t m = 0; m < models.size(); ++m) {
          BenchPoint& point = (*results)[m].points[i];
          RINGLET_RETURN_IF_ERROR(MeasurePoint(models[m], context, limits, probe, seed++, &point));
          done += work(point);
          progress.Update(done, total);
        }
      }
    }
    return Status::Ok();
  }

  void Print(const MachineLimits& limits, const std::vector<BenchResult>& results,
             uint64_t peak) const {
    if (!json_) {
      fmt::print("{}{:<18}{}\n{}", LimitsText(limits), "Peak memory", FormatBytes(peak),
                 BenchText(results));
      return;
    }
    OrderedJson json;
    json["version"] = kVersion;
    json["limits"] = LimitsJson(limits);
    json["peak_memory_bytes"] = peak;
    json["repetitions"] = plan_.reps;
    json["models"] = OrderedJson::array();
    for (const BenchResult& result : results) json["models"].push_back(BenchJson(result));
    fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
  }

  ModelRequest request_;
  std::string other_;
  std::string prefill_ = "512,2048,8192";
  std::string depth_ = "0,4096,16384,65536";
  std::string batch_ = "1,4,16";
  BenchPlan plan_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeBenchCommand() { return std::make_unique<BenchCommand>(); }

}  // namespace ringlet::cli
