// ringlet train: what concerns training runs; so far everything but the steps themselves.
#include <fmt/format.h>

#include "base/file.h"
#include "cli/args.h"
#include "cli/command.h"
#include "train/config/run_config.h"
#include "train/config/run_model.h"
#include "train/log/run_log.h"
#include "train/report/report.h"

namespace ringlet::cli {
namespace {

class TrainCommand : public Command {
 public:
  std::string_view name() const override { return "train"; }
  std::string_view summary() const override {
    return "Check the settings of a training run, draw its report";
  }
  std::string_view footer() const override {
    return "Actions:\n"
           "  check CONFIG.toml   Print every setting of a run, defaults too, or what is wrong\n"
           "  report RUN_DIR      Draw RUN_DIR/log.jsonl as a page, RUN_DIR/report.html\n"
           "docs/training.md describes the settings.";
  }

  void Declare(Args& args) override {
    args.Positional("ACTION", action_, "check or report");
    args.Positional("PATH", path_, "Configuration file, or directory of a run");
    args.Option("-o,--out", out_, "FILE", "Of report: where the page goes [RUN_DIR/report.html]");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (action_ == "report") return Report(globals);
    if (action_ == "check") return Check();
    return Outcome::Usage(BadInput("ACTION", "", action_, "check or report").message());
  }

 private:
  Outcome Check() const {
    if (!out_.empty()) {
      return Outcome::Usage(BadInput("--out", "", out_, "the action report with it").message());
    }
    RINGLET_ASSIGN_OR_RETURN(const RunConfig config, ReadRunConfig(path_));
    RINGLET_RETURN_IF_ERROR(ResolveRunModel(config).status().WithContext(path_));
    fmt::print("# Fingerprint {:016x}\n{}", RunFingerprint(config), CanonicalToml(config));
    return {};
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

  std::string action_;
  std::string path_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> MakeTrainCommand() { return std::make_unique<TrainCommand>(); }

}  // namespace ringlet::cli
