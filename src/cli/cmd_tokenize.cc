// ringlet tokenize: text to ids and back.
#include <cstdio>

#include <fmt/format.h>

#include "base/json.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/load.h"
#include "cli/terminal.h"
#include "model/text_model.h"

namespace ringlet::cli {
namespace {

class TokenizeCommand : public Command {
 public:
  std::string_view name() const override { return "tokenize"; }
  std::string_view summary() const override { return "Turn text into token ids, or ids into text"; }
  std::string_view footer() const override {
    return "Example:\n  ringlet tokenize MODEL -p 'Hello' --json\n"
           "  echo '[19556]' | ringlet tokenize MODEL --decode";
  }

  void Declare(Args& args) override {
    args.Positional("MODEL", model_, "Checkpoint directory or GGUF file");
    args.Option("-p,--prompt", text_, "TEXT", "The text (with --decode: a JSON array of ids)");
    args.Option("-f,--file", file_, "FILE", "Read it from a file; - or neither: stdin");
    args.Exclusive({"--prompt", "--file"});
    args.Flag("--decode", decode_, "Ids to text");
    args.Flag("--no-special", no_special_,
              "Neither read special tokens' names, nor add or show any");
    args.Flag("--json", json_, "Print one JSON object");
  }

  Outcome Run(const GlobalOptions&) override {
    RINGLET_ASSIGN_OR_RETURN(const std::string input, ReadText(text_, file_));
    Result<Checkpoint> checkpoint = OpenCheckpoint(model_);
    if (!checkpoint.ok()) return ModelFailure(checkpoint.status());
    RINGLET_ASSIGN_OR_RETURN(const TextModel text_model, LoadTextModel(*checkpoint));
    return decode_ ? Decode(text_model, input) : Encode(text_model, input);
  }

 private:
  Outcome Encode(const TextModel& text_model, const std::string& text) const {
    RINGLET_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                             no_special_ ? text_model.tokenizer().Encode(text, SpecialTokens::kText)
                                         : text_model.Encode(text, SpecialTokens::kParse));
    if (json_) {
      fmt::print("{{\"tokens\":[{}]}}\n", fmt::join(ids, ","));
      return {};
    }
    for (const int32_t id : ids) fmt::print("{:>8}  {}\n", id, text_model.Quoted(id));
    return {};
  }

  Outcome Decode(const TextModel& text_model, const std::string& input) const {
    const std::string source = text_ ? "--prompt" : file_.value_or("standard input");
    RINGLET_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                             ParseTokenIds(input, source, text_model.tokenizer().vocab_size()));
    const std::string text = text_model.tokenizer().Decode(ids, /*skip_special=*/no_special_);
    if (json_) {
      OrderedJson json{{"tokens", ids}, {"text", text}};
      fmt::print("{}\n", json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
      return {};
    }
    // Into a file or pipe the bytes and nothing else: a file decoded from its tokens is the same.
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (DetectTerminal(stdout).tty) fmt::print("\n");
    return {};
  }

  std::string model_;
  std::optional<std::string> text_;
  std::optional<std::string> file_;
  bool decode_ = false;
  bool no_special_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeTokenizeCommand() { return std::make_unique<TokenizeCommand>(); }

}  // namespace ringlet::cli
