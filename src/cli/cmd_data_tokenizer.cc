// ringlet data tokenizer: trains a byte-level BPE tokenizer.
#include <chrono>

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "io/tokenizer.h"
#include "train/data/bpe_trainer.h"

namespace ringlet::cli {
namespace {

class DataTokenizerCommand : public Command {
 public:
  std::string_view name() const override { return "tokenizer"; }
  std::string_view summary() const override { return "Train a byte-level BPE tokenizer on text"; }
  std::string_view footer() const override {
    return "Examples:\n"
           "  ringlet data tokenizer --vocab 8192 --out tokenizer books/ notes.txt\n"
           "  ringlet data tokenizer --vocab 32000 --field body --out tokenizer pages.jsonl\n"
           "OUT gets tokenizer.json and tokenizer_config.json. The same text gives the same files\n"
           "with any number of threads.";
  }

  void Declare(Args& args) override {
    args.Positionals("TEXT", paths_, "Text files, JSONL files, or directories of them");
    args.Option("--vocab", vocab_, "N", "Tokens in all, 256 bytes and special ones among them");
    args.Option("--out", out_, "DIR", "Directory to write");
    args.Option("--special", special_, "TOKEN",
                "A special token; may be repeated, the first ends documents [<|endoftext|>]");
    args.Option("--pattern", pattern_, "NAME",
                "How words are cut: gpt2, llama3, qwen2 or ling [ling]");
    args.Option("--min-count", min_count_, "N", "Least occurrences of a pair that is merged [2]");
    args.Option("--field", documents_.field, "KEY", "Of JSONL: the field with the text [text]");
    args.Flag("--skip-bad", skip_bad_, "Leave out documents that cannot be read");
    args.Flag("--json", json_, "Print one JSON object");
  }

  Outcome Run(const GlobalOptions& globals) override {
    BpeTrainerOptions options;
    if (const Status status = ReadOptions(options); !status.ok()) {
      return Outcome::Usage(status.message());
    }
    RINGLET_ASSIGN_OR_RETURN(const std::vector<SourceFile> files, FindSources(paths_));
    const auto begin = std::chrono::steady_clock::now();
    const Result<TrainedBpe> bpe = Train(files, options, globals);
    if (bpe.status().code() == StatusCode::kCancelled) return Outcome::Exit(kExitInterrupted);
    if (!bpe.ok()) return bpe.status();
    RINGLET_RETURN_IF_ERROR(Write(*bpe));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    Report(*bpe, seconds, globals);
    return {};
  }

 private:
  Status ReadOptions(BpeTrainerOptions& options) const {
    if (out_.empty()) return BadInput("--out", "", "nothing", "a directory");
    if (vocab_ < 1 || vocab_ > Tokenizer::kMaxIds) {
      return BadInput("--vocab", "", vocab_ == 0 ? "nothing" : fmt::to_string(vocab_),
                      fmt::format("257 to {}", Tokenizer::kMaxIds));
    }
    if (min_count_ < 1) {
      return BadInput("--min-count", "", fmt::to_string(min_count_), "at least 1");
    }
    options.vocab_size = static_cast<int32_t>(vocab_);
    options.min_count = min_count_;
    if (!special_.empty()) options.special_tokens = special_;
    options.documents = documents_;
    options.skip_bad = skip_bad_;
    auto pattern = WordPattern(pattern_);
    if (!pattern.ok()) return BadInput("--pattern", "", pattern_, "gpt2, llama3, qwen2 or ling");
    options.pattern = std::move(*pattern);
    return Status::Ok();
  }

  static Result<TrainedBpe> Train(const std::vector<SourceFile>& files, BpeTrainerOptions options,
                                  const GlobalOptions& globals) {
    const InterruptGuard interrupt(InterruptGuard::Signals::kInterruptAndTerminate);
    Progress reading("Reading", ProgressUnit::kBytes, globals.quiet);
    std::optional<Progress> merging;
    options.reading = [&](uint64_t done, uint64_t total) {
      reading.Update(done, total);
      return !interrupt.Pending();
    };
    options.merging = [&](uint64_t done, uint64_t total) {
      if (!merging) {
        reading.Finish();
        merging.emplace("Merging", ProgressUnit::kTokens, globals.quiet);
      }
      merging->Update(done, total);
      return !interrupt.Pending();
    };
    ThreadPool pool(ThreadCount(globals));
    return TrainBpe(files, options, pool);
  }

  Status Write(const TrainedBpe& bpe) const {
    RINGLET_RETURN_IF_ERROR(MakeDirectories(out_));
    RINGLET_RETURN_IF_ERROR(WriteFile(out_ + "/tokenizer_config.json", TokenizerConfigJson(bpe)));
    return WriteFile(out_ + "/tokenizer.json", TokenizerJson(bpe));
  }

  void Report(const TrainedBpe& bpe, double seconds, const GlobalOptions& globals) const {
    const size_t size = bpe.special_tokens.size() + bpe.tokens.size();
    if (json_) {
      const OrderedJson json{{"vocab", size},
                             {"merges", bpe.merges.size()},
                             {"documents", bpe.documents},
                             {"skipped_documents", bpe.skipped},
                             {"text_bytes", bpe.bytes},
                             {"distinct_words", bpe.distinct_words},
                             {"seconds", seconds}};
      fmt::print("{}\n", json.dump(2));
      return;
    }
    if (globals.quiet) return;
    fmt::print("{}: {} tokens from {} of text, {} different words, in {}\n", out_,
               FormatCount(size), FormatBytes(bpe.bytes), FormatCount(bpe.distinct_words),
               FormatDuration(seconds));
    if (bpe.skipped > 0) fmt::print("{} documents were left out\n", FormatCount(bpe.skipped));
    if (size < static_cast<size_t>(vocab_)) {
      fmt::print(stderr, "ringlet: the text holds no more pairs that occur {} times\n", min_count_);
    }
  }

  std::vector<std::string> paths_;
  int64_t vocab_ = 0;
  std::string out_;
  std::vector<std::string> special_;
  std::string pattern_ = "ling";
  int64_t min_count_ = 2;
  DocumentOptions documents_;
  bool skip_bad_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeDataTokenizerCommand() {
  return std::make_unique<DataTokenizerCommand>();
}

}  // namespace ringlet::cli
