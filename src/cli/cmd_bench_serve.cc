// ringlet bench-serve: how fast a server answers under load.
#include <optional>
#include <string>

#include <fmt/format.h>

#include "cli/args.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "server/load/generator.h"
#include "server/load/report.h"

namespace ringlet::cli {
namespace {

class BenchServeCommand : public Command {
 public:
  std::string_view name() const override { return "bench-serve"; }
  std::string_view summary() const override { return "Measure how a server answers under load"; }
  std::string_view footer() const override {
    return "Example:\n  ringlet bench-serve http://127.0.0.1:8080 --rate 2 --duration 60\n"
           "The server may be any that has OpenAI's endpoints and /tokenize. Requests that it\n"
           "refuses as too many (429) are counted; any other failure is exit code 1.";
  }

  void Declare(Args& args) override {
    args.Positional("URL", url_, "Where the server is: http://HOST:PORT");
    args.Option("--endpoint", endpoint_, "NAME", "completions or chat [completions]");
    args.Option("--model", options_.model, "NAME", "Model to ask for [the server's first]");
    args.Option("--api-key", options_.api_key, "KEY", "The server's key");
    args.Flag("--json", json_, "One object, with times in milliseconds");
    args.Group("Load");
    args.Option("--rate", rate_, "R", "Requests that come in a second, however many are under way");
    args.Option("--arrivals", arrivals_, "KIND", "With --rate: poisson or constant [poisson]");
    args.Option("--concurrency", concurrency_, "N",
                "Instead of --rate: requests under way at a time [4]");
    args.Exclusive({"--rate", "--concurrency"});
    args.Option("--requests", requests_, "N", "Requests in all [100, without --duration]");
    args.Option("--duration", options_.seconds, "S", "No request starts later than this");
    args.Option("--warmup", options_.warmup, "N", "Requests before that are not counted [0]");
    args.Option("--timeout", timeout_seconds_, "S", "Of one request [600]");
    args.Option("--seed", options_.seed, "N", "Of prompts, lengths and arrivals [0]");
    args.Group("Requests");
    args.Option("--prompt-tokens", prompt_tokens_, "N|A-B", "Length of prompts [128]");
    args.Option("--shared-prefix", options_.shared_prefix, "N",
                "Tokens of these with which all prompts begin [0]");
    args.Option("--max-tokens", max_tokens_, "N|A-B", "Length of answers [64]");
    args.Flag("--stop-at-end", stop_at_end_, "Answers may end before --max-tokens");
  }

  Outcome Run(const GlobalOptions& globals) override {
    const Result<ServerUrl> url = ParseServerUrl(url_);
    if (!url.ok()) return Outcome::Usage(url.status().message());
    if (const Status status = FillOptions(); !status.ok()) return Outcome::Usage(status.message());
    InterruptGuard interrupt;
    ProgressLine line(globals.quiet);
    const LoadWatch watch = [&](const LoadProgress& progress) {
      if (line.Due()) line.Draw(Line(progress, line.width()));
      return !interrupt.Pending();
    };
    Result<LoadResult> result = RunLoad(*url, options_, watch);
    line.Finish();
    if (!result.ok()) return Outcome(result.status()).WithHint("is a server running there?");
    const LoadReport report = MakeReport(*result);
    if (json_) {
      fmt::print("{}\n", ReportJson(report).dump(2));
    } else {
      fmt::print("{}", ReportText(report));
    }
    if (result->interrupted) return Outcome::Exit(kExitInterrupted);
    return Outcome::Exit(report.failed == 0 ? kExitOk : kExitFailed);
  }

 private:
  Status FillOptions() {
    if (endpoint_ != "completions" && endpoint_ != "chat") {
      return BadInput("--endpoint", "", endpoint_, "completions or chat");
    }
    if (arrivals_ != "poisson" && arrivals_ != "constant") {
      return BadInput("--arrivals", "", arrivals_, "poisson or constant");
    }
    if (rate_ && !(*rate_ > 0)) {
      return BadInput("--rate", "", fmt::format("{}", *rate_), "more than 0");
    }
    if (requests_ && *requests_ < 1) {
      return BadInput("--requests", "", fmt::format("{}", *requests_), "at least 1");
    }
    if (!(timeout_seconds_ >= 0.001 && timeout_seconds_ <= 1e6)) {
      return BadInput("--timeout", "", fmt::format("{}", timeout_seconds_), "0.001 to 1000000");
    }
    const bool chat = endpoint_ == "chat";
    options_.endpoint =
        chat ? LoadTestOptions::Endpoint::kChat : LoadTestOptions::Endpoint::kCompletions;
    options_.arrivals = arrivals_ == "constant" ? LoadTestOptions::Arrivals::kConstant
                                                : LoadTestOptions::Arrivals::kPoisson;
    options_.rate = rate_.value_or(0);
    options_.concurrency = concurrency_.value_or(options_.concurrency);
    options_.requests = requests_.value_or(options_.seconds > 0 ? 0 : options_.requests);
    options_.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds_ * 1e3));
    options_.ignore_end = !stop_at_end_;
    RINGLET_ASSIGN_OR_RETURN(options_.prompt_tokens,
                             ParseTokenRange(prompt_tokens_, "--prompt-tokens"));
    RINGLET_ASSIGN_OR_RETURN(options_.answer_tokens, ParseTokenRange(max_tokens_, "--max-tokens"));
    return CheckLoadTestOptions(options_);
  }

  static std::string Line(const LoadProgress& progress, int width) {
    constexpr double kWhole = 1e6;
    std::string label =
        fmt::format("{}: {} done, {} under way", progress.warming_up ? "Warming up" : "Load",
                    progress.done, progress.under_way);
    if (progress.failed > 0) label += fmt::format(", {} failed", progress.failed);
    return RenderProgress(label, ProgressUnit::kShare,
                          static_cast<uint64_t>(progress.share * kWhole),
                          static_cast<uint64_t>(kWhole), progress.seconds, width);
  }

  std::string url_;
  std::string endpoint_ = "completions";
  std::string arrivals_ = "poisson";
  std::optional<double> rate_;
  std::optional<int64_t> concurrency_;
  std::optional<int64_t> requests_;
  double timeout_seconds_ = 600;
  std::string prompt_tokens_ = "128";
  std::string max_tokens_ = "64";
  bool stop_at_end_ = false;
  bool json_ = false;
  LoadTestOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeBenchServeCommand() { return std::make_unique<BenchServeCommand>(); }

}  // namespace ringlet::cli
