// ringlet chat: a conversation in the terminal, or through a pipe, one line a turn.
#include <fmt/format.h>

#include "base/file.h"
#include "cli/args.h"
#include "cli/chat_loop.h"
#include "cli/command.h"
#include "cli/conversation.h"
#include "cli/load.h"
#include "cli/sampling_args.h"
#include "cli/session.h"
#include "model/text_model.h"

namespace ringlet::cli {
namespace {

class ChatCommand : public Command {
 public:
  std::string_view name() const override { return "chat"; }
  std::string_view summary() const override { return "Hold a conversation in the terminal"; }
  std::string_view footer() const override {
    return "Example:\n  ringlet chat MODEL --system 'Answer in one sentence.'\n"
           "/help lists the commands. Ctrl-C stops an answer; twice at the prompt, or Ctrl-D, "
           "leaves.\nWhen stdin is a pipe every line is a message.";
  }

  void Declare(Args& args) override {
    args.Positional("MODEL", request_.path, "Checkpoint directory or GGUF file");
    args.Option("--system", system_, "TEXT", "System message");
    args.Option("--load", load_, "FILE", "Go on with a saved conversation");
    args.Option("-n,--max-tokens", max_tokens_, "N", "Tokens of one answer at most [-1: no limit]");
    args.Option("--stop", stop_, "TEXT", "End an answer before this text (may be repeated)");
    args.Flag("--ignore-eos", ignore_eos_, "Go on where the model would end an answer");
    args.Option("--compute", request_.compute, "TYPE", "Arithmetic: bf16 or f32 [bf16]");
    args.Option("--kv-dtype", request_.kv_dtype, "TYPE", "Keys and values: bf16 or int8 [bf16]");
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
    Conversation conversation;
    if (load_) {
      RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(*load_));
      RINGLET_ASSIGN_OR_RETURN(conversation, Conversation::FromJson(text, *load_));
    }
    if (system_) conversation.SetSystem(*system_);
    return Chat(std::move(conversation), globals);
  }

 private:
  Outcome Chat(Conversation conversation, const GlobalOptions& globals) {
    Result<Checkpoint> checkpoint = OpenCheckpoint(request_.path);
    if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
    RINGLET_ASSIGN_OR_RETURN(TextModel text_model, LoadTextModel(*checkpoint));
    if (!text_model.has_template()) {
      return Outcome(BadInput(request_.path, "", "no chat template", "a model made for chat"))
          .WithHint("'ringlet run --raw' continues plain text");
    }
    GenerateOptions options;
    RINGLET_ASSIGN_OR_RETURN(options.sampler,
                             sampling_.Resolve(request_.path, text_model.tokenizer()));
    options.max_tokens = max_tokens_;
    options.stop = stop_;
    options.ignore_end = ignore_eos_;
    RINGLET_ASSIGN_OR_RETURN(LoadedModel model,
                             PackModel(*std::move(checkpoint), request_, globals));
    Session session(std::move(model), std::move(text_model), globals);
    return ChatLoop(std::move(session), std::move(conversation), std::move(options), globals).Run();
  }

  ModelRequest request_;
  std::optional<std::string> system_;
  std::optional<std::string> load_;
  std::vector<std::string> stop_;
  int64_t max_tokens_ = -1;
  bool ignore_eos_ = false;
  SamplingArgs sampling_;
};

}  // namespace

std::unique_ptr<Command> MakeChatCommand() { return std::make_unique<ChatCommand>(); }

}  // namespace ringlet::cli
