// ringlet train: a training run from its configuration.
#include <chrono>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/cpu_features.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/train_progress.h"
#include "ops/limits/limits.h"
#include "train/config/run_config.h"
#include "train/config/run_model.h"
#include "train/report/report.h"
#include "train/run/memory_estimate.h"
#include "train/run/trainer.h"

namespace ringlet::cli {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class TrainCommand : public Command {
 public:
  std::string_view name() const override { return "train"; }
  std::string_view summary() const override { return "Train a model on tokenized text"; }
  std::string_view footer() const override {
    return "Examples:\n"
           "  ringlet train nano.toml                 Train into the directory nano\n"
           "  ringlet train nano.toml --minutes 60    Stop after an hour; the same command goes "
           "on\n"
           "  ringlet train nano.toml --check         Print every setting, defaults too\n"
           "  ringlet train nano --report             Draw nano/report.html from nano/log.jsonl\n"
           "A run that was interrupted, even by kill -9, goes on from its last checkpoint when it "
           "is\n"
           "started again, and computes the same bits as if it had not been. The model is in\n"
           "DIR/model. docs/training.md describes the settings.";
  }

  void Declare(Args& args) override {
    args.Positional("CONFIG", path_, "TOML file of the run; with --report the run's directory");
    args.Option("-o,--out", out_, "DIR",
                "Directory of the run, or the report's file [CONFIG without .toml]");
    args.Option("--minutes", minutes_, "N", "Stop after this time, with a checkpoint");
    args.Option("--steps", steps_, "N", "Stop after this many steps, with a checkpoint");
    args.Flag("--check", check_, "Only check the settings and print them");
    args.Flag("--report", report_, "Only draw the report of a run");
    args.Exclusive({"--check", "--report"});
    args.Flag("--json", json_,
              "Print a JSON object for each step, as in the log; with --check of the memory");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (report_) return Report(globals);
    if (minutes_ < 0) {
      return Outcome::Usage(
          BadInput("--minutes", "", fmt::to_string(minutes_), "0 or more").message());
    }
    if (steps_ && *steps_ < 0) {
      return Outcome::Usage(
          BadInput("--steps", "", fmt::to_string(*steps_), "0 or more").message());
    }
    RINGLET_ASSIGN_OR_RETURN(const RunConfig config, ReadRunConfig(path_));
    const Result<RunModel> model = ResolveRunModel(config);
    RINGLET_RETURN_IF_ERROR(model.status().WithContext(path_));
    RINGLET_ASSIGN_OR_RETURN(const IsaChoice isa, ChooseIsa(globals));
    const MemoryEstimate memory = EstimateMemory(config, model->config, isa);
    if (check_) return Check(config, memory);
    if (const Status status = CheckWeightsFit(memory); !status.ok()) {
      return Outcome(status).WithHint("train a smaller model, or on a machine with more memory");
    }
    if (!globals.quiet) Warn(config, model->config, memory, isa);
    return Train(config, isa, globals);
  }

 private:
  Outcome Check(const RunConfig& config, const MemoryEstimate& memory) const {
    if (json_) {
      const Json json = {{"fingerprint", fmt::format("{:016x}", RunFingerprint(config))},
                         {"memory",
                          {{"weights", memory.weights},
                           {"packed", memory.packed},
                           {"kept", memory.kept},
                           {"work", memory.work},
                           {"total", memory.total()}}}};
      fmt::print("{}\n", json.dump());
      return {};
    }
    fmt::print("# Fingerprint {:016x}\n# Memory about {}\n{}", RunFingerprint(config),
               Describe(memory), CanonicalToml(config));
    return {};
  }

  // What is kept of a micro-batch can be made smaller, and swapped; this cannot.
  static Status CheckWeightsFit(const MemoryEstimate& memory) {
    const auto needed = static_cast<uint64_t>(memory.weights + memory.packed);
    const uint64_t usable = UsableMemory();
    if (needed <= usable) return Status::Ok();
    return Status(StatusCode::kResource,
                  fmt::format("memory: found {} free, expected {} for weights and optimizer",
                              FormatBytes(usable), FormatBytes(needed)));
  }

  // Of a run that needs more memory than there is.
  static void Warn(const RunConfig& config, const ModelConfig& model, const MemoryEstimate& memory,
                   const IsaChoice& isa) {
    const uint64_t usable = UsableMemory();
    if (static_cast<uint64_t>(memory.total()) <= usable) return;
    RunConfig less = config;
    less.recompute = Recompute::kBlock;
    fmt::print(
        stderr,
        "ringlet: this needs about {}, and {} are free; recompute = \"block\" would need {}, "
        "a smaller micro_batch_tokens less\n",
        Describe(memory), FormatBytes(usable),
        FormatBytes(static_cast<uint64_t>(EstimateMemory(less, model, isa).total())));
  }

  Outcome Report(const GlobalOptions& globals) const {
    if (!IsDirectory(path_)) {
      return BadInput(path_, "", "no directory", "the directory of a run");
    }
    RINGLET_ASSIGN_OR_RETURN(const RunHistory history, ReadRunLog(path_ + "/log.jsonl"));
    const std::string out = out_.empty() ? path_ + "/report.html" : out_;
    RINGLET_RETURN_IF_ERROR(WriteFile(out, RenderReport(history)));
    if (!globals.quiet) fmt::print("{}: {} steps\n", out, history.steps.size());
    return {};
  }

  std::string Directory() const {
    if (!out_.empty()) return out_;
    std::filesystem::path path(path_);
    return path.extension() == ".toml" ? path.replace_extension().string() : path_ + ".run";
  }

  Outcome Train(const RunConfig& config, const IsaChoice& isa, const GlobalOptions& globals) {
    Context context(isa, ThreadCount(globals));
    const TrainerOptions options{
        .peak_ops = MatrixPeak(context, config.compute == Compute::kBf16),
        .processor = DetectCpu().model_name,
    };
    const std::string directory = Directory();
    RINGLET_ASSIGN_OR_RETURN(const auto trainer,
                             Trainer::Open(config, directory, context, options));
    Announce(*trainer, directory, globals);
    const InterruptGuard interrupt(InterruptGuard::Signals::kInterruptAndTerminate);
    bool interrupted = false;
    RINGLET_RETURN_IF_ERROR(Loop(*trainer, interrupt, globals, &interrupted));
    RINGLET_RETURN_IF_ERROR(trainer->Save());
    if (!trainer->done()) {
      if (!globals.quiet) {
        fmt::print(stderr, "ringlet: stopped at step {}; the same command goes on\n",
                   trainer->run().step());
      }
      return interrupted ? Outcome::Exit(kExitInterrupted) : Outcome{};
    }
    return Finish(*trainer, globals);
  }

  void Announce(const Trainer& trainer, const std::string& directory,
                const GlobalOptions& globals) const {
    for (const DamagedCheckpoint& damaged : trainer.damaged()) {
      fmt::print(stderr, "ringlet: passed over a damaged checkpoint: {}\n",
                 damaged.problem.message());
    }
    if (globals.quiet) return;
    const TrainingRun& run = trainer.run();
    fmt::print(stderr, "{}: {}, {} parameters, {}\n", directory, run.Describe(),
               FormatParameters(static_cast<uint64_t>(run.parameter_count())),
               trainer.resumed_at() > 0
                   ? fmt::format("going on after step {}",
                                 FormatCount(static_cast<uint64_t>(trainer.resumed_at())))
                   : std::string("from the beginning"));
  }

  Status Loop(Trainer& trainer, const InterruptGuard& interrupt, const GlobalOptions& globals,
              bool* interrupted) const {
    TrainProgress progress(trainer.run().config().steps, globals.quiet);
    const Clock::time_point begin = Clock::now();
    for (int64_t taken = 0; !trainer.done() && (!steps_ || taken < *steps_); ++taken) {
      RINGLET_ASSIGN_OR_RETURN(const StepRecord record, trainer.Step());
      progress.Show(record);
      if (json_) {
        fmt::print("{}\n", LogLine(record));
        std::fflush(stdout);
      }
      *interrupted = interrupt.Pending();
      if (*interrupted || (minutes_ > 0 && SecondsSince(begin) >= 60 * minutes_)) break;
    }
    return Status::Ok();
  }

  Outcome Finish(Trainer& trainer, const GlobalOptions& globals) const {
    RINGLET_ASSIGN_OR_RETURN(const Trainer::Outcome outcome, trainer.Finish());
    if (globals.quiet) return {};
    std::FILE* out = json_ ? stderr : stdout;
    if (outcome.merged > 1) fmt::print(out, "Merged {} checkpoints\n", outcome.merged);
    if (outcome.heldout) {
      fmt::print(out, "Held-out loss {:.4f} ({:.4f} bits per byte)\n", outcome.heldout->loss,
                 outcome.heldout->bits_per_byte);
    }
    fmt::print(out, "{}: try\n  ringlet run {} -p 'Once upon a time'\n", outcome.model,
               outcome.model);
    return {};
  }

  std::string path_;
  std::string out_;
  double minutes_ = 0;
  std::optional<int64_t> steps_;
  bool check_ = false;
  bool report_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeTrainCommand() { return std::make_unique<TrainCommand>(); }

}  // namespace ringlet::cli
