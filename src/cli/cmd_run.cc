// ringlet run: one prompt, one answer.
#include <cstdio>

#include <fmt/format.h>

#include "base/format.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/conversation.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/sampling_args.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "model/text_model.h"

namespace ringlet::cli {
namespace {

class RunCommand : public Command {
 public:
  std::string_view name() const override { return "run"; }
  std::string_view summary() const override { return "Answer or continue one prompt"; }
  std::string_view footer() const override {
    return "Example:\n  ringlet run MODEL -p 'Why is the sky blue?' -n 200\n"
           "A model with a chat template answers the prompt as a user's message; --raw continues "
           "it "
           "as\ntext. Ctrl-C ends the answer.";
  }

  void Declare(Args& args) override {
    args.Positional("MODEL", request_.path, "Checkpoint directory or GGUF file");
    args.Option("-p,--prompt", prompt_, "TEXT", "The prompt");
    args.Option("-f,--file", file_, "FILE", "Read the prompt from a file; - or neither: stdin");
    args.Option("-n,--max-tokens", max_tokens_, "N",
                "Tokens of the answer at most [-1: until the model ends it]");
    args.Option("--system", system_, "TEXT", "System message");
    args.Option("--stop", stop_, "TEXT", "End the answer before this text (may be repeated)");
    args.Flag("--raw", raw_, "Continue the prompt as plain text");
    args.Flag("--chat", chat_, "Insist on the chat template");
    args.Flag("--ignore-eos", ignore_eos_, "Go on where the model would end");
    args.Option("--compute", request_.compute, "TYPE", "Arithmetic: bf16 or f32 [bf16]");
    args.Option("--kv-dtype", request_.kv_dtype, "TYPE", "Keys and values: bf16 or int8 [bf16]");
    args.Flag("--json", json_, "Print one JSON object at the end instead of text");
    args.Exclusive({"--prompt", "--file"});
    args.Exclusive({"--raw", "--chat"});
    args.Exclusive({"--raw", "--system"});
    sampling_.Declare(args);
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (const Status status = sampling_.Check(); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    if (const Status status = CheckCompute(request_.compute); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    if (const Status status = CheckKvDtype(request_.kv_dtype); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    if (max_tokens_ < -1) {
      return Outcome::Usage(
          fmt::format("--max-tokens: found {}, expected -1 (no limit) or more", max_tokens_));
    }
    return Answer(globals);
  }

 private:
  Outcome Answer(const GlobalOptions& globals) {
    Result<Checkpoint> checkpoint = OpenCheckpoint(request_.path);
    if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
    RINGLET_ASSIGN_OR_RETURN(TextModel text_model, LoadTextModel(*checkpoint));
    if ((chat_ || system_) && !text_model.has_template()) {
      return Outcome(BadInput(request_.path, "", "no chat template", "one, for --chat or --system"))
          .WithHint("--raw continues the prompt as plain text");
    }
    GenerateOptions options;
    RINGLET_ASSIGN_OR_RETURN(options.sampler,
                             sampling_.Resolve(request_.path, text_model.tokenizer()));
    options.max_tokens = max_tokens_;
    options.ignore_end = ignore_eos_;
    options.stop = stop_;
    if (!prompt_ && !file_ && !globals.quiet && DetectTerminal(stdin).tty) {
      fmt::print(stderr, "Type the prompt, then Ctrl-D.\n");
    }
    RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadText(prompt_, file_));
    RINGLET_ASSIGN_OR_RETURN(const std::vector<int32_t> prompt, EncodePrompt(text_model, text));
    RINGLET_ASSIGN_OR_RETURN(LoadedModel model,
                             PackModel(*std::move(checkpoint), request_, globals));
    Session session(std::move(model), std::move(text_model), globals);
    return Generate(session, prompt, options, globals);
  }

  Result<std::vector<int32_t>> EncodePrompt(const TextModel& text_model,
                                            const std::string& text) const {
    if (raw_ || !text_model.has_template()) {
      return text_model.Encode(text, SpecialTokens::kParse);
    }
    Conversation conversation;
    conversation.SetSystem(system_.value_or(""));
    // A file or pipe ends in a newline that is not part of the message.
    const bool typed = prompt_.has_value();
    conversation.AddUser(!typed && text.ends_with('\n') ? text.substr(0, text.size() - 1) : text);
    RINGLET_ASSIGN_OR_RETURN(const std::string prompt, text_model.Render(conversation.Messages()));
    return text_model.EncodeRendered(prompt);
  }

  Outcome Generate(Session& session, const std::vector<int32_t>& prompt,
                   const GenerateOptions& options, const GlobalOptions& globals) const {
    const InterruptGuard interrupt;
    bool line_open = false;
    const auto show = [&](std::string_view text) {
      if (json_) return;
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
      line_open = !text.ends_with('\n');
    };
    const Result<Generation> result = session.Answer(prompt, options, interrupt, show);
    if (line_open) fmt::print("\n");
    if (!result.ok()) return result.status();
    if (json_) PrintJson(*result, prompt.size(), options.sampler.seed, session.model());
    if (globals.verbose) {
      fmt::print(stderr, "ringlet: loaded in {}; {}; seed {}\n",
                 FormatDuration(session.model().pack_seconds), StatisticsLine(*result),
                 options.sampler.seed);
    }
    return Outcome::Exit(result->finish == FinishReason::kCancelled ? kExitInterrupted : kExitOk);
  }

  static void PrintJson(const Generation& generation, size_t prompt_tokens, uint64_t seed,
                        const LoadedModel& model) {
    OrderedJson json;
    json["text"] = generation.text;
    json["tokens"] = generation.tokens;
    json["finish_reason"] = FinishReasonName(generation.finish);
    json["end_token"] = generation.end_token ? OrderedJson(*generation.end_token) : OrderedJson();
    json["stop"] = generation.stop.empty() ? OrderedJson() : OrderedJson(generation.stop);
    json["prompt_tokens"] = prompt_tokens;
    json["seed"] = seed;
    json["timings"] = {{"load_seconds", model.pack_seconds},
                       {"prefill_tokens", generation.prefill_tokens},
                       {"prefill_seconds", generation.prefill_seconds},
                       {"prefill_tokens_per_second", generation.PrefillRate()},
                       {"decode_tokens", generation.tokens.size()},
                       {"decode_seconds", generation.decode_seconds},
                       {"decode_tokens_per_second", generation.DecodeRate()}};
    fmt::print("{}\n", json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  }

  ModelRequest request_;
  std::optional<std::string> prompt_;
  std::optional<std::string> file_;
  std::optional<std::string> system_;
  std::vector<std::string> stop_;
  int64_t max_tokens_ = -1;
  bool raw_ = false;
  bool chat_ = false;
  bool ignore_eos_ = false;
  bool json_ = false;
  SamplingArgs sampling_;
};

}  // namespace

std::unique_ptr<Command> MakeRunCommand() { return std::make_unique<RunCommand>(); }

}  // namespace ringlet::cli
