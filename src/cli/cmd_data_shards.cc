// ringlet data shards: text to token ids.
#include <chrono>

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "io/gguf.h"
#include "train/data/build_shards.h"

namespace ringlet::cli {
namespace {

// tokenizer.json in a directory, the file itself, or a GGUF file.
Result<std::shared_ptr<const Tokenizer>> OpenTokenizer(const std::string& path) {
  if (path.ends_with(".gguf")) {
    RINGLET_ASSIGN_OR_RETURN(const auto file, GgufFile::Open(path));
    return Tokenizer::FromGguf(*file);
  }
  return Tokenizer::FromJsonFile(IsDirectory(path) ? path + "/tokenizer.json" : path);
}

class DataShardsCommand : public Command {
 public:
  std::string_view name() const override { return "shards"; }
  std::string_view summary() const override { return "Turn text into shards of token ids"; }
  std::string_view footer() const override {
    return "Examples:\n"
           "  ringlet data shards --tokenizer tokenizer --out data books/ pages.jsonl\n"
           "  ringlet data shards --tokenizer MODEL --out data --held-out 0.01 books/\n"
           "A run that was interrupted continues when it is started again with the same options.\n"
           "The same text gives the same bytes with any number of threads.";
  }

  void Declare(Args& args) override {
    args.Positionals("TEXT", paths_, "Text files, JSONL files, or directories of them");
    args.Option("--tokenizer", tokenizer_, "PATH", "Directory with tokenizer.json, or a GGUF file");
    args.Option("--out", out_, "DIR", "Directory to write");
    args.Option("--held-out", options_.held_out, "SHARE",
                "Share of the documents kept out of training, chosen by hash [0]");
    args.Option("--end", end_, "TOKEN", "Ends each document [the tokenizer's eos_token]");
    args.Flag("--no-end", no_end_, "No token ends documents");
    args.Exclusive({"--end", "--no-end"});
    args.Option("--separator", options_.documents.separator, "LINE",
                "Of text files: the line between two documents [each file is one]");
    args.Option("--field", options_.documents.field, "KEY",
                "Of JSONL: the field with the text [text]");
    args.Flag("--skip-bad", options_.skip_bad, "Leave out and count documents that cannot be read");
    args.Option("--shard-tokens", shard_tokens_, "N", "Tokens in a shard, about [16777216]");
    args.Flag("--json", json_, "Print one JSON object");
  }

  Outcome Run(const GlobalOptions& globals) override {
    if (const Status status = CheckOptions(); !status.ok()) return Outcome::Usage(status.message());
    RINGLET_ASSIGN_OR_RETURN(const auto tokenizer, OpenTokenizer(tokenizer_));
    if (!no_end_) {
      RINGLET_ASSIGN_OR_RETURN(options_.end_id, FindEnd(*tokenizer));
    }
    RINGLET_ASSIGN_OR_RETURN(const std::vector<SourceFile> files, FindSources(paths_));
    const auto begin = std::chrono::steady_clock::now();
    const Result<ShardBuildReport> report = Build(*tokenizer, files, globals);
    if (report.status().code() == StatusCode::kCancelled) {
      fmt::print(stderr, "ringlet: stopped; the same command continues\n");
      return Outcome::Exit(kExitInterrupted);
    }
    if (!report.ok()) return report.status();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    Report(*report, TotalBytes(files), seconds, globals);
    return {};
  }

 private:
  Status CheckOptions() {
    if (tokenizer_.empty()) {
      return BadInput("--tokenizer", "", "nothing", "a directory with tokenizer.json");
    }
    if (out_.empty()) return BadInput("--out", "", "nothing", "a directory");
    if (!(options_.held_out >= 0 && options_.held_out < 1)) {
      return BadInput("--held-out", "", fmt::to_string(options_.held_out), "0 to below 1");
    }
    if (shard_tokens_ < 1) {
      return BadInput("--shard-tokens", "", fmt::to_string(shard_tokens_), "at least 1");
    }
    options_.shard_tokens = static_cast<uint64_t>(shard_tokens_);
    return Status::Ok();
  }

  // The id of --end, else of tokenizer_config.json's eos_token, else the GGUF file's.
  Result<int32_t> FindEnd(const Tokenizer& tokenizer) const {
    if (end_) return IdOf(tokenizer, *end_, "--end");
    if (!tokenizer.eos_ids().empty()) return tokenizer.eos_ids().front();
    const std::string path = tokenizer_ + "/tokenizer_config.json";
    if (IsDirectory(tokenizer_) && FileExists(path)) {
      RINGLET_ASSIGN_OR_RETURN(const Json config, ReadJsonFile(path));
      Json token = config.is_object() ? config.value("eos_token", Json()) : Json();
      if (token.is_object()) token = token.value("content", Json());
      if (token.is_string()) return IdOf(tokenizer, token.get<std::string>(), path + ": eos_token");
    }
    return BadInput(tokenizer_, "", "no eos_token", "--end TOKEN or --no-end with it");
  }

  static Result<int32_t> IdOf(const Tokenizer& tokenizer, const std::string& token,
                              const std::string& source) {
    const std::optional<int32_t> id = tokenizer.IdOf(token);
    if (id) return *id;
    return BadInput(source, "", Quote(token), "a token of the tokenizer");
  }

  Result<ShardBuildReport> Build(const Tokenizer& tokenizer, const std::vector<SourceFile>& files,
                                 const GlobalOptions& globals) {
    const InterruptGuard interrupt(InterruptGuard::Signals::kInterruptAndTerminate);
    Progress progress("Tokenizing", ProgressUnit::kBytes, globals.quiet);
    options_.progress = [&](uint64_t done, uint64_t total) {
      progress.Update(done, total);
      return !interrupt.Pending();
    };
    ThreadPool pool(ThreadCount(globals));
    return BuildShards(tokenizer, files, out_, options_, pool);
  }

  void Report(const ShardBuildReport& report, uint64_t source_bytes, double seconds,
              const GlobalOptions& globals) const {
    const DataManifest& manifest = report.manifest;
    OrderedJson json{{"source_bytes", source_bytes},
                     {"empty_documents", manifest.empty_documents},
                     {"skipped_documents", manifest.skipped_documents},
                     {"resumed_shards", report.resumed_shards},
                     {"restarted", report.restarted},
                     {"seconds", seconds}};
    if (report.restarted && !globals.quiet) {
      fmt::print(stderr, "ringlet: shards of an earlier run were damaged: all were made again\n");
    } else if (report.resumed_shards > 0 && !globals.quiet) {
      fmt::print(stderr, "ringlet: {} shards were finished by an earlier run\n",
                 report.resumed_shards);
    }
    for (const Split split : kSplits) {
      ShardEntry sum;
      for (const ShardEntry& entry : manifest.Of(split)) {
        sum.tokens += entry.tokens;
        sum.documents += entry.documents;
        sum.text_bytes += entry.text_bytes;
      }
      json["splits"][std::string(Name(split))] = {{"shards", manifest.Of(split).size()},
                                                  {"documents", sum.documents},
                                                  {"tokens", sum.tokens},
                                                  {"text_bytes", sum.text_bytes}};
      if (json_ || globals.quiet || sum.documents == 0) continue;
      fmt::print("{:<8} {} tokens, {} documents, {} of text\n", Name(split),
                 FormatCount(sum.tokens), FormatCount(sum.documents), FormatBytes(sum.text_bytes));
    }
    if (json_) {
      fmt::print("{}\n", json.dump(2));
    } else if (!globals.quiet) {
      fmt::print("{}: in {}; left out {} empty and {} unreadable documents\n", out_,
                 FormatDuration(seconds), FormatCount(manifest.empty_documents),
                 FormatCount(manifest.skipped_documents));
    }
  }

  std::vector<std::string> paths_;
  std::string tokenizer_;
  std::string out_;
  std::optional<std::string> end_;
  bool no_end_ = false;
  int64_t shard_tokens_ = int64_t{1} << 24;
  bool json_ = false;
  ShardBuildOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeDataShardsCommand() { return std::make_unique<DataShardsCommand>(); }

}  // namespace ringlet::cli
