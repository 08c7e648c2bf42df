// ringlet quantize: a checkpoint in 4-bit or 8-bit integers or FP8.
#include <chrono>

#include <fmt/format.h>

#include "base/format.h"
#include "base/hasher.h"
#include "base/memory.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/divergence_report.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/quantize_report.h"
#include "engine/calibration.h"
#include "engine/divergence.h"
#include "model/quantize.h"
#include "model/text_model.h"

namespace ringlet::cli {
namespace {

constexpr int64_t kMaxShardMib = int64_t{1} << 20;
constexpr int64_t kCompareRows = 64;  // whose logits are held at a time

class QuantizeCommand : public Command {
 public:
  std::string_view name() const override { return "quantize"; }
  std::string_view summary() const override { return "Write a checkpoint in 4 or 8 bits a weight"; }
  std::string_view footer() const override {
    return "Examples:\n"
           "  ringlet quantize MODEL OUT --dtype int4\n"
           "  ringlet quantize MODEL OUT --dtype int4 --portable\n"
           "  ringlet quantize MODEL OUT --dtype int4 --keep '*.down_proj=int8' --keep "
           "lm_head=bf16\n"
           "Memory stays below 1 GiB for any model. A run that was interrupted continues when it "
           "is\n"
           "started again with the same options.";
  }

  void Declare(Args& args) override {
    args.Positional("MODEL", model_, "Hugging Face directory with BF16, F16, F32 or FP8 weights");
    args.Positional("OUT", out_, "Directory to write");
    args.Option("--dtype", dtype_, "TYPE", "Type of the linear layers: int4, int8 or fp8 [int4]");
    args.Option("--group", group_, "N",
                "Inputs that share a scale: 16, 32, 64 or 128 [int4: 16, int8: 32]");
    args.Option("--keep", keep_, "PATTERN=TYPE",
                "Another type (int4, int8, bf16, source) for matching tensors; may be repeated");
    args.Flag("--portable", options_.portable,
              "Only what vLLM and SGLang load: groups of 32, embedding and head as they are");
    args.Option("--shard-size", shard_mib_, "MIB", "Largest size of a file in MiB [1024]");
    args.Option("--calibrate", calibrate_, "FILE",
                "Text to run first, so that errors count as much as the inputs they meet");
    args.Option("--calibrate-with", calibrate_with_, "MODEL",
                "Run this one instead: the same model in 8 bits, where MODEL itself is too large");
    args.Option("--evaluate", evaluate_, "FILE",
                "Text on which the result is compared with the original at the end");
    args.Flag("--tokens", as_tokens_, "These files are JSON arrays of token ids, not text");
    args.Flag("--json", json_, "Print one JSON object with every tensor");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (const Status status = ReadOptions(); !status.ok()) return Outcome::Usage(status.message());
    Result<Checkpoint> checkpoint = OpenCheckpoint(model_);
    if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
    const Status status = Quantize(*checkpoint, globals);
    if (status.code() == StatusCode::kCancelled) {
      fmt::print(stderr, "ringlet: stopped; the same command continues\n");
      return Outcome::Exit(kExitInterrupted);
    }
    return status;
  }

 private:
  Status ReadOptions() {
    const auto type = WeightTypeFromName(dtype_);
    if (!type || *type == WeightType::kSource || *type == WeightType::kBf16) {
      return BadInput("--dtype", "", dtype_, "int4, int8 or fp8");
    }
    options_.type = *type;
    if (group_) options_.group = *group_;
    if (group_ && *group_ <= 0) {
      return BadInput("--group", "", fmt::to_string(*group_), "16, 32, 64 or 128");
    }
    if (shard_mib_ < 1 || shard_mib_ > kMaxShardMib) {
      return BadInput("--shard-size", "", fmt::to_string(shard_mib_),
                      fmt::format("1 to {} MiB", kMaxShardMib));
    }
    options_.shard_bytes = static_cast<uint64_t>(shard_mib_) << 20;
    for (const std::string& rule : keep_) {
      const size_t equals = rule.rfind('=');
      const auto rule_type = equals == rule.npos
                                 ? std::nullopt
                                 : WeightTypeFromName(std::string_view(rule).substr(equals + 1));
      if (equals == 0 || !rule_type) {
        return BadInput("--keep", "", rule, "PATTERN=TYPE with int4, int8, fp8, bf16 or source");
      }
      options_.keep.push_back({rule.substr(0, equals), *rule_type});
    }
    if (calibrate_with_ && !calibrate_) {
      return BadInput("--calibrate-with", "", *calibrate_with_, "--calibrate with it");
    }
    if (calibrate_ && options_.type == WeightType::kFp8) {
      return BadInput("--calibrate", "", "--dtype fp8", "int4, whose scales have a choice");
    }
    return Status::Ok();
  }

  Status Quantize(const Checkpoint& checkpoint, const GlobalOptions& globals) {
    RINGLET_RETURN_IF_ERROR(CheckQuantizable(checkpoint, options_));
    // Read first, so that a wrong file is known at once.
    std::vector<int32_t> calibration;
    std::vector<int32_t> evaluation;
    if (calibrate_) {
      RINGLET_ASSIGN_OR_RETURN(calibration, ReadTokens(*calibrate_, checkpoint));
    }
    if (evaluate_) {
      RINGLET_ASSIGN_OR_RETURN(evaluation, ReadTokens(*evaluate_, checkpoint));
    }
    RINGLET_ASSIGN_OR_RETURN(const IsaChoice isa, ChooseIsa(globals));
    ImportanceMap importance;
    if (calibrate_) {
      RINGLET_ASSIGN_OR_RETURN(importance, Calibrate(calibration, globals));
      options_.importance = &importance;
      options_.importance_id = TokensId(calibration);
    }
    Context context(isa, ThreadCount(globals));
    const auto begin = std::chrono::steady_clock::now();
    RINGLET_ASSIGN_OR_RETURN(const QuantizeReport report, Write(checkpoint, context, globals));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::optional<Divergence> divergence;
    if (!json_) PrintReport(report, seconds, globals);
    if (evaluate_) {
      RINGLET_ASSIGN_OR_RETURN(divergence, Evaluate(evaluation, globals));
    }
    if (json_) {
      PrintJson(report, seconds, divergence);
    } else if (divergence) {
      fmt::print("{}", DivergenceText(*divergence));
    }
    return Status::Ok();
  }

  Result<std::vector<int32_t>> ReadTokens(const std::string& path, const Checkpoint& checkpoint) {
    RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFileOrStdin(path));
    std::vector<int32_t> tokens;
    if (as_tokens_) {
      RINGLET_ASSIGN_OR_RETURN(tokens, ParseTokenIds(text, path, checkpoint.config.vocab));
    } else {
      RINGLET_ASSIGN_OR_RETURN(const TextModel text_model, LoadTextModel(checkpoint));
      RINGLET_ASSIGN_OR_RETURN(tokens, text_model.Encode(text, SpecialTokens::kText));
    }
    if (tokens.empty()) return BadInput(path, "", "no text", "some text to run");
    return tokens;
  }

  // Names the tokens in the state of an interrupted run.
  static std::string TokensId(const std::vector<int32_t>& tokens) {
    return fmt::format("{} tokens {:016x}", tokens.size(),
                       HashBytes(std::as_bytes(std::span(tokens))));
  }

  Result<LoadedModel> Load(const std::string& path, const GlobalOptions& globals) const {
    RINGLET_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(path));
    ModelRequest request;
    request.path = path;
    return PackModel(std::move(checkpoint), request, globals);
  }

  Result<ImportanceMap> Calibrate(const std::vector<int32_t>& tokens,
                                  const GlobalOptions& globals) const {
    RINGLET_ASSIGN_OR_RETURN(const LoadedModel model,
                             Load(calibrate_with_.value_or(model_), globals));
    const InterruptGuard interrupt(InterruptGuard::Signals::kInterruptAndTerminate);
    Progress progress("Calibrating", ProgressUnit::kTokens, globals.quiet);
    CalibrationOptions options;
    options.progress = [&](int64_t done, int64_t total) {
      progress.Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
      return !interrupt.Pending();
    };
    return MeasureImportance(*model.engine, tokens, options);
  }

  Result<QuantizeReport> Write(const Checkpoint& checkpoint, Context& context,
                               const GlobalOptions& globals) {
    const InterruptGuard interrupt(InterruptGuard::Signals::kInterruptAndTerminate);
    Progress progress("Quantizing", ProgressUnit::kBytes, globals.quiet);
    options_.progress = [&](uint64_t done, uint64_t total) {
      progress.Update(done, total);
      return !interrupt.Pending();
    };
    return QuantizeCheckpoint(checkpoint, out_, context, options_);
  }

  Result<Divergence> Evaluate(const std::vector<int32_t>& tokens,
                              const GlobalOptions& globals) const {
    RINGLET_ASSIGN_OR_RETURN(const LoadedModel original, Load(model_, globals));
    RINGLET_ASSIGN_OR_RETURN(const LoadedModel result, Load(out_, globals));
    Progress progress("Comparing", ProgressUnit::kTokens, globals.quiet);
    return CompareModels(
        *original.engine, *result.engine, tokens, kCompareRows, [&](int64_t done, int64_t total) {
          progress.Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
        });
  }

  void PrintJson(const QuantizeReport& report, double seconds,
                 const std::optional<Divergence>& divergence) const {
    OrderedJson json = QuantizeReportJson(report);
    json["seconds"] = seconds;
    json["peak_memory_bytes"] = PeakResidentBytes();
    if (divergence) json["evaluation"] = DivergenceJson(*divergence);
    fmt::print("{}\n", json.dump(2));
  }

  void PrintReport(const QuantizeReport& report, double seconds,
                   const GlobalOptions& globals) const {
    if (globals.quiet) return;
    for (const std::string& file : report.skipped_files) {
      fmt::print(stderr, "ringlet: {} is too large to be a side file: not copied\n", file);
    }
    if (report.resumed_shards > 0) {
      fmt::print(stderr, "ringlet: {} of {} files were finished by an earlier run\n",
                 report.resumed_shards, report.shards);
    }
    if (report.damaged_shards > 0) {
      fmt::print(stderr, "ringlet: {} files of an earlier run were damaged and written again\n",
                 report.damaged_shards);
    }
    fmt::print("{}", QuantizeTable(report, globals.verbose));
    fmt::print("{}: {} from {} in {}\n", out_, FormatBytes(report.bytes),
               FormatBytes(report.source_bytes), FormatDuration(seconds));
  }

  std::string model_;
  std::string out_;
  std::string dtype_ = "int4";
  std::optional<int64_t> group_;
  std::vector<std::string> keep_;
  int64_t shard_mib_ = 1024;
  std::optional<std::string> calibrate_;
  std::optional<std::string> calibrate_with_;
  std::optional<std::string> evaluate_;
  bool as_tokens_ = false;
  bool json_ = false;
  QuantizeOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeQuantizeCommand() { return std::make_unique<QuantizeCommand>(); }

}  // namespace ringlet::cli
