// ringlet bench: speed at every depth, held against what the machine allows.
#include <algorithm>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "bench/page_cache.h"
#include "cli/args.h"
#include "cli/bench_lists.h"
#include "cli/bench_ops.h"
#include "cli/bench_report.h"
#include "cli/bench_run.h"
#include "cli/command.h"
#include "cli/limits_report.h"
#include "cli/load.h"
#include "cli/preset_name.h"
#include "cli/progress.h"
#include "model/packed.h"

namespace ringlet::cli {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 24;
constexpr int64_t kMaxBatch = 1024;
constexpr int64_t kMaxReps = 1000;
constexpr int64_t kMaxLayers = 10000;
constexpr int64_t kDefaultOpsDepth = 4096;

class BenchCommand : public Command {
 public:
  std::string_view name() const override { return "bench"; }
  std::string_view summary() const override {
    return "Measure speed, as a share of what the machine allows";
  }
  std::string_view footer() const override {
    return "Examples:\n  ringlet bench MODEL --prefill 512 --depth 0,16384 --batch none\n"
           "  ringlet bench MODEL OTHER --plot speed.svg\n"
           "  ringlet bench MODEL QWEN8 --prefill 512,512@65536 --scale-layers 0,64\n"
           "  ringlet bench --ops --only attention --threads 1\n"
           "Two models are measured in alternation; ratios are MODEL's speed over OTHER's.\n"
           "With --ops MODEL may be the name of a preset [ring-mini-linear].";
  }

  void Declare(Args& args) override {
    args.OptionalPositional("MODEL", request_.path, "Checkpoint directory or GGUF file");
    args.OptionalPositional("OTHER", other_, "A model to compare with");
    args.Option("--prefill", prefill_, "LIST",
                "Prompt lengths; 512@65536: of 512 tokens after 65536 [512,2048,8192]");
    args.Option("--depth", depth_, "LIST", "Context lengths to decode at [0,4096,16384,65536]");
    args.Option("--batch", batch_, "LIST", "Sequences decoding together [1,4,16]");
    args.Option("--batch-depth", plan_.batch_depth, "N", "Context length of each of them [0]");
    args.Option("--decode", plan_.decode_tokens, "N", "Tokens to decode at each point [32]");
    args.Option("--scale-layers", scale_layers_, "LIST",
                "Layers of each model of which only the first are there; 0: all are [0]");
    args.Option("--reps", plan_.reps, "N", "Repetitions of everything [3]");
    args.Option("--compute", request_.compute, "TYPE", "Arithmetic: bf16 or f32 [bf16]");
    args.Option("--kv-dtype", request_.kv_dtype, "TYPE", "Keys and values: bf16 or int8 [bf16]");
    args.Option("--plot", plot_, "FILE", "Also draw speed by depth and length as SVG");
    args.Flag("--json", json_, "Print one JSON object");
    args.Group("Operators");
    args.Flag("--ops", ops_, "Measure every operator of the model instead");
    args.Option("--only", ops_request_.only, "TEXT", "Operators whose name contains TEXT");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (const Status status = CheckArguments(); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    RINGLET_ASSIGN_OR_RETURN(const IsaChoice isa, ChooseIsa(globals));
    Context context(isa, ThreadCount(globals));
    return ops_ ? MeasureOperators(context, globals) : MeasureModels(context, globals);
  }

 private:
  Status CheckArguments() {
    RINGLET_RETURN_IF_ERROR(CheckCompute(request_.compute));
    RINGLET_RETURN_IF_ERROR(CheckKvDtype(request_.kv_dtype));
    RINGLET_ASSIGN_OR_RETURN(plan_.prefill, ParsePrompts("--prefill", prefill_, kMaxTokens));
    RINGLET_ASSIGN_OR_RETURN(plan_.depths, ParseNumbers("--depth", depth_, 0, kMaxTokens));
    RINGLET_ASSIGN_OR_RETURN(plan_.batches, ParseNumbers("--batch", batch_, 1, kMaxBatch));
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
    RINGLET_ASSIGN_OR_RETURN(layers_, ParseNumbers("--scale-layers", scale_layers_, 0, kMaxLayers));
    const size_t models = other_.empty() ? 1 : 2;
    if (layers_.empty()) layers_.assign(models, 0);
    if (layers_.size() != models) {
      return BadInput(
          "--scale-layers", "", scale_layers_,
          fmt::format("{}, one for each model", models == 1 ? "a number" : "2 numbers"));
    }
    plan_.step_rows = request_.max_step_rows;
    if (!ops_ && request_.path.empty()) {
      return BadInput("MODEL", "", "none", "a checkpoint directory or GGUF file, or --ops");
    }
    if (!ops_ && !ops_request_.only.empty()) {
      return BadInput("--only", "", ops_request_.only, "--ops with it");
    }
    if (ops_ && layers_[0] != 0) {
      return BadInput("--scale-layers", "", scale_layers_, "no --ops with it");
    }
    if (ops_ && !(other_.empty() && plot_.empty())) {
      return BadInput("--ops", "", other_.empty() ? plot_ : other_, "one MODEL and no plot");
    }
    return Status::Ok();
  }

  // Packs a checkpoint with the first of `layers` layers; what it takes goes to `result`.
  Result<LoadedModel> Load(Checkpoint checkpoint, int64_t layers, const GlobalOptions& globals,
                           BenchResult* result) const {
    result->path = checkpoint.path;
    result->cached_share =
        CachedShare(WeightFiles(checkpoint, CacheDirectory(checkpoint.path, globals)));
    RINGLET_ASSIGN_OR_RETURN(LoadedModel loaded,
                             PackModel(std::move(checkpoint), request_, globals));
    const PackedModel& packed = loaded.model->packed();
    result->load_seconds = loaded.pack_seconds;
    result->packed_bytes = static_cast<int64_t>(packed.bytes);
    RINGLET_RETURN_IF_ERROR(CheckLayers(*loaded.model, layers));
    result->layers = std::ssize(packed.blocks);
    result->whole_layers = layers == 0 ? result->layers : layers;
    result->points = PlanPoints(plan_, *loaded.model, layers);
    int64_t sequences = 0;
    for (const BenchPoint& point : result->points) {
      sequences = std::max(sequences, SequenceBytes(point, *loaded.model));
    }
    int64_t embedding = 0;
    for (const auto& segment : packed.embedding.rows.segments) {
      embedding += static_cast<int64_t>(segment.tensor->data.size());
    }
    result->expected_bytes = result->packed_bytes + embedding + sequences;
    return loaded;
  }

  Outcome MeasureModels(Context& context, const GlobalOptions& globals) {
    // Before minutes of measuring: whether the plot can be written.
    std::optional<AtomicFile> plot;
    if (!plot_.empty()) {
      RINGLET_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(plot_));
      plot.emplace(std::move(file));
    }
    std::vector<std::string> paths = {request_.path};
    if (!other_.empty()) paths.push_back(other_);
    std::vector<LoadedModel> models;
    std::vector<BenchResult> results;
    for (const std::string& path : paths) {
      Result<Checkpoint> checkpoint = OpenCheckpoint(path);
      if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
      BenchResult result;
      RINGLET_ASSIGN_OR_RETURN(LoadedModel loaded, Load(std::move(checkpoint).value(),
                                                        layers_[models.size()], globals, &result));
      result.path = path;
      const auto begin = std::chrono::steady_clock::now();
      TouchWeights(context, loaded.model->packed());
      result.touch_seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      results.push_back(std::move(result));
      models.push_back(std::move(loaded));
    }
    RINGLET_ASSIGN_OR_RETURN(const ReadProbe probe, ReadProbe::Create(context));
    const MachineLimits limits = MeasureLimits(context, probe);
    RINGLET_RETURN_IF_ERROR(Measure(models, context, limits, probe, globals, &results));
    // Held by the probe, not by the models.
    const uint64_t peak = PeakResidentBytes();
    const auto held = static_cast<uint64_t>(probe.bytes());
    if (plot) {
      RINGLET_RETURN_IF_ERROR(plot->Append(BenchSvg(results)));
      RINGLET_RETURN_IF_ERROR(plot->Commit());
    }
    Print(context.isa, limits, results, peak > held ? peak - held : 0);
    return {};
  }

  Outcome MeasureOperators(Context& context, const GlobalOptions& globals) {
    OpsReport report;
    const std::string name = request_.path.empty() ? "ring-mini-linear" : request_.path;
    const Result<const Preset*> preset = FindPresetByAnyName(name);
    std::optional<LoadedModel> loaded;
    ModelShapes shapes;
    if (preset.ok() && !FileExists(name) && !IsDirectory(name)) {
      RINGLET_ASSIGN_OR_RETURN(const ModelConfig config, PresetConfig(**preset));
      shapes =
          ShapesOf(EmptyModel(config, request_.kv_dtype == "int8" ? KvType::kInt8 : KvType::kBf16));
    } else {
      Result<Checkpoint> checkpoint = OpenCheckpoint(name);
      if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
      RINGLET_ASSIGN_OR_RETURN(loaded, PackModel(std::move(checkpoint).value(), request_, globals));
      shapes = ShapesOf(loaded->model->packed());
    }
    // At the start of a sequence there is no attention to speak of.
    std::erase(plan_.depths, 0);
    if (plan_.depths.empty()) plan_.depths = {kDefaultOpsDepth};
    ops_request_.depths = plan_.depths;
    RINGLET_ASSIGN_OR_RETURN(const ReadProbe probe, ReadProbe::Create(context));
    const MachineLimits limits = MeasureLimits(context, probe);
    Result<OpsReport> measured = RunOps(shapes, ops_request_, context, limits, probe, globals);
    if (!measured.ok()) return Outcome::Usage(measured.status().message());
    report = std::move(measured).value();
    report.model = name;
    if (loaded && ops_request_.only.empty()) {
      RINGLET_ASSIGN_OR_RETURN(
          report.measured_token,
          TimeToken(*loaded, context, report.depth, std::max<int64_t>(plan_.decode_tokens, 8)));
    }
    if (json_) {
      OrderedJson json = MachineJson(context.isa, limits);
      json.update(OpsJson(report));
      PrintJson(json);
    } else {
      fmt::print("{}{}{}", MachineText(context.isa), LimitsText(limits), OpsText(report));
    }
    return {};
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

  void Print(const IsaChoice& isa, const MachineLimits& limits,
             const std::vector<BenchResult>& results, uint64_t peak) const {
    // What a run may take: weights, keys, values and states, and a GiB for everything else.
    uint64_t expected = uint64_t{1} << 30;
    for (const BenchResult& result : results) {
      expected += static_cast<uint64_t>(result.expected_bytes);
    }
    if (!json_) {
      fmt::print("{}{}{:<18}{} (weights, sequences and 1 GiB: {})\n{}", MachineText(isa),
                 LimitsText(limits), "Peak memory", FormatBytes(peak), FormatBytes(expected),
                 BenchText(results));
      return;
    }
    OrderedJson json = MachineJson(isa, limits);
    json["peak_memory_bytes"] = peak;
    json["expected_memory_bytes"] = expected;
    json["repetitions"] = plan_.reps;
    json["models"] = OrderedJson::array();
    for (const BenchResult& result : results) {
      json["models"].push_back(BenchJson(result, &result == &results[0] ? nullptr : &results[0]));
    }
    PrintJson(json);
  }

  static void PrintJson(const OrderedJson& json) {
    fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace));
  }

  ModelRequest request_;
  std::string other_;
  std::string plot_;
  std::string prefill_ = "512,2048,8192";
  std::string depth_ = "0,4096,16384,65536";
  std::string batch_ = "1,4,16";
  std::string scale_layers_ = "none";
  std::vector<int64_t> layers_;  // of each model; 0: those that are there
  BenchPlan plan_;
  OpsRequest ops_request_;
  bool ops_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeBenchCommand() { return std::make_unique<BenchCommand>(); }

}  // namespace ringlet::cli
