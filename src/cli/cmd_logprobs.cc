// ringlet logprobs: the log-probability of every token of a text. The tool of every parity check.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/format.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/divergence_report.h"
#include "cli/input.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "engine/divergence.h"
#include "model/text_model.h"
#include "ops/loss/log_sum_exp.h"

namespace ringlet::cli {
namespace {

constexpr int64_t kMaxChunk = 1 << 20;
constexpr int64_t kCompareRows = 64;  // whose logits are held at a time

struct Scores {
  std::vector<int32_t> tokens;
  std::vector<double> logprobs;          // of tokens[i + 1] after tokens[0..i]
  std::vector<double> last_row;          // of every id after the last token; only when asked for
  std::optional<Divergence> divergence;  // likewise
};

std::vector<double> AllLogProbs(std::span<const float> logits, double log_sum) {
  std::vector<double> row;
  row.reserve(logits.size());
  for (const float logit : logits) row.push_back(logit - log_sum);
  return row;
}

class LogprobsCommand : public Command {
 public:
  std::string_view name() const override { return "logprobs"; }
  std::string_view summary() const override {
    return "Print the log-probability of every token of a text";
  }
  std::string_view footer() const override {
    return "Example:\n  echo '[1, 5, 7]' | ringlet logprobs MODEL --tokens - --json\n"
           "Natural logarithms; the first token has none. Neither --chunk nor --threads changes a "
           "digit.";
  }

  void Declare(Args& args) override {
    args.Positional("MODEL", request_.path, "Checkpoint directory or GGUF file");
    args.Option("--tokens", tokens_path_, "FILE", "JSON array of token ids; - is stdin");
    args.Option("-f,--file", text_path_, "FILE", "Text to encode and score; - is stdin");
    args.Exclusive({"--tokens", "--file"});
    args.Flag("--all", all_, "Also the whole distribution after the last token (with --json)");
    args.Option("--chunk", chunk_, "N", "Tokens computed at a time [512]");
    args.Option("--compute", request_.compute, "TYPE", "Arithmetic: bf16 or f32 [bf16]");
    args.Option("--kv-dtype", request_.kv_dtype, "TYPE", "Keys and values: bf16 or int8 [bf16]");
    args.Option("--against", against_, "MODEL",
                "Also the divergence of each prediction from this model's");
    args.Flag("--json", json_, "Print one JSON object with 17-digit numbers");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (!tokens_path_ && !text_path_) {
      return Outcome::Usage("logprobs: one of --tokens and --file is required");
    }
    if (chunk_ < 1 || chunk_ > kMaxChunk) {
      return Outcome::Usage(fmt::format("--chunk: found {}, expected 1 to {}", chunk_, kMaxChunk));
    }
    if (all_ && !json_) return Outcome::Usage("--all: expected --json with it");
    if (const Status status = CheckCompute(request_.compute); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    if (const Status status = CheckKvDtype(request_.kv_dtype); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    request_.max_step_rows = chunk_;
    return Score(globals);
  }

 private:
  Outcome Score(const GlobalOptions& globals) {
    // Read before the model is loaded, so that a wrong file is known at once.
    RINGLET_ASSIGN_OR_RETURN(const std::string input,
                             ReadFileOrStdin(tokens_path_ ? *tokens_path_ : *text_path_));
    Result<Checkpoint> checkpoint = OpenCheckpoint(request_.path);
    if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
    std::optional<TextModel> text_model;
    Scores scores;
    if (tokens_path_) {
      RINGLET_ASSIGN_OR_RETURN(
          scores.tokens,
          ParseTokenIds(input, tokens_path_ == "-" ? "standard input" : *tokens_path_,
                        checkpoint->config.vocab));
      if (!json_ && InspectTextModel(*checkpoint).has_tokenizer) {
        RINGLET_ASSIGN_OR_RETURN(text_model, LoadTextModel(*checkpoint));
      }
    } else {
      RINGLET_ASSIGN_OR_RETURN(text_model, LoadTextModel(*checkpoint));
      RINGLET_ASSIGN_OR_RETURN(scores.tokens, text_model->Encode(input, SpecialTokens::kText));
      if (scores.tokens.empty()) return BadInput(*text_path_, "", "no text", "some text to score");
    }
    RINGLET_ASSIGN_OR_RETURN(LoadedModel model,
                             PackModel(*std::move(checkpoint), request_, globals));
    RINGLET_RETURN_IF_ERROR(Compute(*model.engine, globals, scores));
    if (against_) {
      RINGLET_ASSIGN_OR_RETURN(scores.divergence, Compare(*model.engine, scores.tokens, globals));
    }
    if (json_) {
      PrintJson(scores);
    } else {
      PrintTable(scores, text_model ? &*text_model : nullptr);
    }
    return {};
  }

  // With the other model as the reference.
  Result<Divergence> Compare(Engine& engine, std::span<const int32_t> tokens,
                             const GlobalOptions& globals) const {
    ModelRequest request = request_;
    request.path = *against_;
    RINGLET_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(request.path));
    RINGLET_ASSIGN_OR_RETURN(const LoadedModel other,
                             PackModel(std::move(checkpoint), request, globals));
    Progress progress("Comparing", ProgressUnit::kTokens, globals.quiet);
    return CompareModels(
        *other.engine, engine, tokens, kCompareRows, [&](int64_t done, int64_t total) {
          progress.Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
        });
  }

  Status Compute(Engine& engine, const GlobalOptions& globals, Scores& scores) const {
    Sequence sequence = engine.NewSequence();
    Progress progress("Scoring", ProgressUnit::kTokens, globals.quiet);
    const std::span<const int32_t> tokens(scores.tokens);
    const int64_t count = std::ssize(tokens);
    for (int64_t at = 0; at < count; at += chunk_) {
      Feed feed;
      feed.sequence = &sequence;
      feed.tokens = tokens.subspan(at, std::min(chunk_, count - at));
      feed.rows = LogitRows::kAll;
      feed.on_logits = [&](int64_t row, std::span<const float> logits) {
        const int64_t next = at + row + 1;
        const double log_sum = LogSumExp(engine.context().isa, logits);
        if (next < count) {
          scores.logprobs.push_back(logits[static_cast<size_t>(tokens[next])] - log_sum);
        } else if (all_) {
          scores.last_row = AllLogProbs(logits, log_sum);
        }
      };
      RINGLET_RETURN_IF_ERROR(engine.Step(std::span<const Feed>(&feed, 1)));
      progress.Update(static_cast<uint64_t>(at + std::ssize(feed.tokens)),
                      static_cast<uint64_t>(count));
    }
    const auto bad = std::ranges::find_if(scores.logprobs, [](double x) { return std::isnan(x); });
    if (bad == scores.logprobs.end()) return Status::Ok();
    return Status(StatusCode::kInvalidInput,
                  fmt::format("token {}: its log-probability is not a number: the weights are "
                              "damaged, or the computation overflowed",
                              bad - scores.logprobs.begin() + 1));
  }

  static void PrintJson(const Scores& scores) {
    fmt::print("{{\"tokens\":[{}],\"logprobs\":[null", fmt::join(scores.tokens, ","));
    for (const double logprob : scores.logprobs) fmt::print(",{}", FormatExact(logprob));
    fmt::print("]");
    if (!scores.last_row.empty()) {
      fmt::print(",\"last_row\":[");
      const char* separator = "";
      for (const double logprob : scores.last_row) {
        fmt::print("{}{}", separator, FormatExact(logprob));
        separator = ",";
      }
      fmt::print("]");
    }
    if (scores.divergence) {
      fmt::print(",\"against\":{}", DivergenceJson(*scores.divergence).dump());
    }
    fmt::print("}}\n");
  }

  static void PrintTable(const Scores& scores, const TextModel* text_model) {
    double sum = 0;
    for (size_t i = 0; i < scores.tokens.size(); ++i) {
      const std::string text = text_model == nullptr ? "" : text_model->Quoted(scores.tokens[i]);
      const std::string logprob = i == 0 ? "" : fmt::format("{:.6f}", scores.logprobs[i - 1]);
      std::string kl;
      // Of the prediction that this token followed.
      if (scores.divergence) {
        kl = fmt::format(" {:>10}",
                         i == 0 ? "" : fmt::format("{:.6f}", scores.divergence->tokens[i - 1].kl));
      }
      fmt::print("{:>8} {:>8} {:>12}{}  {}\n", i, scores.tokens[i], logprob, kl, text);
      if (i > 0) sum += scores.logprobs[i - 1];
    }
    if (scores.divergence) fmt::print("{}", DivergenceText(*scores.divergence));
    if (scores.logprobs.empty()) return;
    const double mean = sum / static_cast<double>(scores.logprobs.size());
    fmt::print("mean {:.6f} over {} tokens, perplexity {:.4f}\n", mean, scores.logprobs.size(),
               std::exp(-mean));
  }

  ModelRequest request_;
  std::optional<std::string> tokens_path_;
  std::optional<std::string> text_path_;
  std::optional<std::string> against_;
  bool all_ = false;
  bool json_ = false;
  int64_t chunk_ = 512;
};

}  // namespace

std::unique_ptr<Command> MakeLogprobsCommand() { return std::make_unique<LogprobsCommand>(); }

}  // namespace ringlet::cli
