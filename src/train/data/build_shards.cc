#include "train/data/build_shards.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hasher.h"
#include "train/data/document_tasks.h"
#include "train/data/shard.h"
#include "train/data/vocabulary_fingerprint.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kHeldOutSeed = 0x68656c646f7574;  // "heldout"

size_t Index(Split split) { return static_cast<size_t>(split); }

// A file of a data directory, or a temporary one beside it that a killed run left.
bool IsOurs(const std::string& name) {
  return name.find(".shard") != name.npos || name.starts_with(kManifestName) ||
         name.starts_with(kPartialManifestName);
}

// Everything that the result depends on, in one hash. Texts are known by name, size and time.
std::string RunId(const Tokenizer& tokenizer, const std::vector<SourceFile>& files,
                  const ShardBuildOptions& options) {
  std::string text = fmt::format(
      "{:016x} {} {} {} {} {} {} {}", VocabularyFingerprint(tokenizer), options.documents.field,
      options.documents.separator.has_value(), options.documents.separator.value_or(""),
      options.skip_bad, options.held_out, options.end_id.value_or(-1), options.shard_tokens);
  for (const SourceFile& file : files) {
    text += fmt::format("\n{} {} {}", file.path, file.bytes, file.modified_ns);
  }
  return fmt::format("{:016x}", HashText(text));
}

struct TokenizedDocument {
  Status status;
  Split split = Split::kTrain;
  std::vector<int32_t> ids;  // none: it is in a shard already, or left out
};

class ShardBuild {
 public:
  ShardBuild(const Tokenizer& tokenizer, const std::vector<SourceFile>& files,
             const std::string& directory, const ShardBuildOptions& options, ThreadPool& pool)
      : tokenizer_(tokenizer),
        files_(files),
        directory_(directory),
        options_(options),
        pool_(pool),
        vocabulary_(VocabularyFingerprint(tokenizer)),
        held_out_below_(std::ldexp(options.held_out, 64)),
        buffers_{ShardBuffer(VocabSize(), vocabulary_), ShardBuffer(VocabSize(), vocabulary_)} {}

  Result<ShardBuildReport> Run() {
    RINGLET_RETURN_IF_ERROR(CheckOptions());
    RINGLET_RETURN_IF_ERROR(MakeDirectories(directory_));
    RINGLET_ASSIGN_OR_RETURN(const DirectoryLock lock, DirectoryLock::Acquire(directory_));
    RINGLET_ASSIGN_OR_RETURN(const bool finished, Resume());
    if (finished) return std::move(report_);
    RINGLET_RETURN_IF_ERROR(Tokenize());
    RINGLET_RETURN_IF_ERROR(Finish());
    return std::move(report_);
  }

 private:
  DataManifest& manifest() { return report_.manifest; }
  uint64_t VocabSize() const { return static_cast<uint64_t>(tokenizer_.vocab_size()); }
  std::string Path(std::string_view name) const { return fmt::format("{}/{}", directory_, name); }

  Status CheckOptions() const {
    if (!(options_.held_out >= 0 && options_.held_out < 1)) {
      return BadInput("held-out share", "", fmt::to_string(options_.held_out), "0 to below 1");
    }
    if (options_.shard_tokens < 1) return BadInput("shard tokens", "", "0", "at least 1");
    if (options_.end_id && !tokenizer_.IsToken(*options_.end_id)) {
      return BadInput("end token", "", fmt::format("id {}", *options_.end_id),
                      "an id of the tokenizer");
    }
    return Status::Ok();
  }

  // Whether an earlier run finished. Otherwise the manifest is that of where to continue.
  Result<bool> Resume() {
    DataManifest& fresh = manifest();
    fresh.run = RunId(tokenizer_, files_, options_);
    fresh.vocab_size = VocabSize();
    fresh.vocabulary = vocabulary_;
    fresh.end_id = options_.end_id;
    fresh.resume.emplace();
    const bool finished = FileExists(Path(kManifestName));
    const std::string path = Path(finished ? kManifestName : kPartialManifestName);
    if (!FileExists(path)) {
      RINGLET_RETURN_IF_ERROR(CheckNothingElse());
      return false;
    }
    RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    RINGLET_ASSIGN_OR_RETURN(DataManifest found, ParseManifest(text, path));
    if (found.run != fresh.run) {
      return BadInput(path, "run", "data made of other texts, with another tokenizer or options",
                      "the same again, or an empty directory");
    }
    if (!finished && !found.resume) return BadInput(path, "resume", "none", "where to continue");
    uint64_t shards = 0;
    for (const Split split : kSplits) {
      for (const ShardEntry& entry : found.Of(split)) {
        if (!Intact(entry)) {
          report_.restarted = true;
          return RemoveManifests();
        }
        ++shards;
      }
    }
    report_.resumed_shards = shards;
    manifest() = std::move(found);
    return finished;
  }

  // Nothing is finished any more: what the manifests promise is about to be written again.
  Result<bool> RemoveManifests() const {
    for (const std::string_view name : {kManifestName, kPartialManifestName}) {
      std::error_code error;
      fs::remove(Path(name), error);
      if (error) {
        return Status(StatusCode::kIo,
                      fmt::format("{}: cannot remove: {}", Path(name), error.message()));
      }
    }
    return false;
  }

  bool Intact(const ShardEntry& entry) const {
    const auto shard = Shard::Open(Path(entry.file));
    return shard.ok() && (*shard)->header().tokens_hash == entry.tokens_hash &&
           (*shard)->Verify().ok();
  }

  // Without a manifest the directory holds what a killed run left, or nothing.
  Status CheckNothingElse() const {
    std::error_code error;
    for (fs::directory_iterator entry(directory_, error); !error && entry != fs::end(entry);
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (!IsOurs(name)) {
        return BadInput(directory_, "", name, "a new or empty directory");
      }
    }
    if (error) {
      return Status(StatusCode::kIo,
                    fmt::format("{}: cannot read: {}", directory_, error.message()));
    }
    return Status::Ok();
  }

  Status Tokenize() {
    const auto& resume = *manifest().resume;
    DocumentReader reader(files_, options_.documents);
    reader.Seek(std::min(resume[0], resume[1]));
    DocumentBatch batch;
    std::vector<DocumentText> texts;
    std::vector<TokenizedDocument> results;
    const uint64_t total = TotalBytes(files_);
    for (;;) {
      RINGLET_RETURN_IF_ERROR(reader.Next(options_.batch_bytes, batch));
      if (batch.documents.empty()) return Status::Ok();
      RINGLET_RETURN_IF_ERROR(ReadTexts(reader, batch, options_.skip_bad, pool_, texts));
      results.clear();
      results.resize(texts.size());
      pool_.ParallelFor(static_cast<int64_t>(texts.size()), [&](int64_t i, int) {
        results[static_cast<size_t>(i)] = TokenizeOne(texts[static_cast<size_t>(i)]);
      });
      for (size_t i = 0; i < texts.size(); ++i) {
        RINGLET_RETURN_IF_ERROR(results[i].status.WithContext(texts[i].Name(reader)));
        RINGLET_RETURN_IF_ERROR(Add(texts[i], results[i]));
      }
      if (options_.progress && !options_.progress(reader.bytes_done(), total)) {
        return Status(StatusCode::kCancelled, "stopped while tokenizing");
      }
    }
  }

  bool InShard(const DocumentText& document, Split split) const {
    return document.raw->position < (*report_.manifest.resume)[Index(split)];
  }

  TokenizedDocument TokenizeOne(const DocumentText& document) const {
    TokenizedDocument result;
    if (document.bad || IsBlank(document.text)) return result;
    const uint64_t hash = HashText(document.text, kHeldOutSeed);
    if (static_cast<double>(hash) < held_out_below_) result.split = Split::kHeldOut;
    if (InShard(document, result.split)) return result;
    Result<std::vector<int32_t>> ids = tokenizer_.Encode(document.text, SpecialTokens::kText);
    if (!ids.ok()) {
      result.status = ids.status();
      return result;
    }
    result.ids = std::move(*ids);
    if (options_.end_id) result.ids.push_back(*options_.end_id);
    return result;
  }

  Status Add(const DocumentText& document, const TokenizedDocument& result) {
    if (InShard(document, result.split)) return Status::Ok();
    if (result.ids.empty()) {
      ++(document.bad ? skipped_ : empty_);
      return Status::Ok();
    }
    ShardBuffer& buffer = buffers_[Index(result.split)];
    buffer.Append(result.ids, document.text.size());
    if (buffer.tokens() < options_.shard_tokens) return Status::Ok();
    // The next document begins at the next byte at the earliest.
    DocumentPosition next = document.raw->position;
    ++next.offset;
    RINGLET_RETURN_IF_ERROR(WriteShard(result.split, next));
    return WriteFile(Path(kPartialManifestName), ManifestText(manifest()));
  }

  Status WriteShard(Split split, DocumentPosition next) {
    std::vector<ShardEntry>& list = manifest().splits[Index(split)];
    ShardEntry entry;
    entry.file = ShardName(split, list.size());
    RINGLET_ASSIGN_OR_RETURN(const ShardHeader header,
                             buffers_[Index(split)].Write(Path(entry.file)));
    entry.tokens = header.tokens;
    entry.documents = header.documents;
    entry.text_bytes = header.text_bytes;
    entry.tokens_hash = header.tokens_hash;
    list.push_back(std::move(entry));
    (*manifest().resume)[Index(split)] = next;
    if (options_.held_out == 0) manifest().resume->fill(next);
    // Documents that were left out count as the first split's: each once, wherever a run stops.
    if (split == Split::kTrain) CountLeftOut();
    return Status::Ok();
  }

  void CountLeftOut() {
    manifest().empty_documents += std::exchange(empty_, 0);
    manifest().skipped_documents += std::exchange(skipped_, 0);
  }

  Status Finish() {
    for (const Split split : kSplits) {
      if (buffers_[Index(split)].documents() > 0) {
        RINGLET_RETURN_IF_ERROR(WriteShard(split, {files_.size(), 0}));
      }
    }
    CountLeftOut();
    if (manifest().Of(Split::kTrain).empty() && manifest().Of(Split::kHeldOut).empty()) {
      return BadInput("text", "", "no documents", "some text");
    }
    manifest().resume.reset();
    RINGLET_RETURN_IF_ERROR(WriteFile(Path(kManifestName), ManifestText(manifest())));
    return RemoveLeftovers();
  }

  // What an interrupted run left beside the listed shards.
  Status RemoveLeftovers() const {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_, error)) {
      const std::string name = entry.path().filename().string();
      bool listed = name == kManifestName;
      for (const Split split : kSplits) {
        for (const ShardEntry& shard : report_.manifest.Of(split)) listed |= shard.file == name;
      }
      if (!listed && IsOurs(name)) fs::remove(entry.path(), error);
    }
    return Status::Ok();
  }

  const Tokenizer& tokenizer_;
  const std::vector<SourceFile>& files_;
  const std::string& directory_;
  const ShardBuildOptions& options_;
  ThreadPool& pool_;
  uint64_t vocabulary_;
  double held_out_below_;  // of 64-bit hashes
  std::array<ShardBuffer, kSplits.size()> buffers_;
  uint64_t empty_ = 0;  // not yet in the manifest
  uint64_t skipped_ = 0;
  ShardBuildReport report_;
};

}  // namespace

Result<ShardBuildReport> BuildShards(const Tokenizer& tokenizer,
                                     const std::vector<SourceFile>& files,
                                     const std::string& directory, const ShardBuildOptions& options,
                                     ThreadPool& pool) {
  return ShardBuild(tokenizer, files, directory, options, pool).Run();
}

}  // namespace ringlet
