#include "train/data/bpe_trainer.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/json.h"
#include "io/byte_alphabet.h"
#include "io/pretokenizer.h"
#include "io/utf8.h"
#include "train/data/document_tasks.h"

namespace ringlet {
namespace {

// Text in work at once: enough to occupy the threads, small beside memory.
constexpr uint64_t kBatchBytes = uint64_t{8} << 20;
// Long texts are cut into parts of about this size, for the threads.
constexpr size_t kPartBytes = size_t{1} << 20;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// How much of `text` to take next: up to a line end behind a letter, where every word ends and what
// precedes it changes nothing, whichever pattern of WordPattern cuts the words.
size_t PartSize(std::string_view text) {
  if (text.size() <= kPartBytes) return text.size();
  for (size_t at = kPartBytes; at < text.size(); ++at) {
    if (text[at] == '\n' && IsLetter(text[at - 1])) return at;
  }
  return text.size();
}

class WordSink : public PieceSink {
 public:
  explicit WordSink(WordCounts& counts) : counts_(counts) {}
  void Piece(std::string_view piece) override { counts_.Add(piece); }

 private:
  WordCounts& counts_;
};

// Counts the words of documents; what it holds afterwards does not depend on the threads.
class Counter {
 public:
  Counter(const PreTokenizer& pre_tokenizer, int threads)
      : pre_tokenizer_(pre_tokenizer), counts_(static_cast<size_t>(threads)) {}

  Status Count(std::string_view text, int thread) {
    WordSink sink(counts_[static_cast<size_t>(thread)]);
    RegexScratch scratch(text.size());
    return pre_tokenizer_.Split(text, scratch, sink);
  }

  WordCounts Sum() {
    WordCounts sum = std::move(counts_[0]);
    for (size_t i = 1; i < counts_.size(); ++i) sum.AddAll(counts_[i]);
    return sum;
  }

 private:
  const PreTokenizer& pre_tokenizer_;
  std::vector<WordCounts> counts_;  // by thread
};

Result<PreTokenizer> MakePreTokenizer(const std::string& pattern) {
  std::vector<PreTokenizerStage> stages(1);
  RINGLET_ASSIGN_OR_RETURN(stages[0].pattern, Regex::Compile(pattern, "pattern", ""));
  return PreTokenizer(std::move(stages));
}

Status CountWords(const std::vector<SourceFile>& files, const BpeTrainerOptions& options,
                  ThreadPool& pool, Counter& counter, TrainedBpe& totals) {
  DocumentReader reader(files, options.documents);
  const uint64_t total = TotalBytes(files);
  DocumentBatch batch;
  std::vector<DocumentText> texts;
  struct Part {
    const DocumentText* document = nullptr;
    std::string_view text;
    Status status;
  };
  for (;;) {
    RINGLET_RETURN_IF_ERROR(reader.Next(kBatchBytes, batch));
    if (batch.documents.empty()) return Status::Ok();
    RINGLET_RETURN_IF_ERROR(ReadTexts(reader, batch, options.skip_bad, pool, texts));
    std::vector<Part> parts;
    for (const DocumentText& document : texts) {
      if (document.bad) ++totals.skipped;
      if (document.bad || IsBlank(document.text)) continue;
      ++totals.documents;
      totals.bytes += document.text.size();
      for (std::string_view rest = document.text; !rest.empty();) {
        const size_t size = PartSize(rest);
        parts.push_back({&document, rest.substr(0, size), {}});
        rest.remove_prefix(size);
      }
    }
    pool.ParallelFor(static_cast<int64_t>(parts.size()), [&](int64_t i, int thread) {
      Part& part = parts[static_cast<size_t>(i)];
      part.status = counter.Count(part.text, thread);
    });
    for (const Part& part : parts) {
      RINGLET_RETURN_IF_ERROR(part.status.WithContext(part.document->Name(reader)));
    }
    if (options.reading && !options.reading(reader.bytes_done(), total)) {
      return Status(StatusCode::kCancelled, "stopped while reading");
    }
  }
}

// A token as tokenizer.json spells it.
std::string Spelling(const TrainedBpe& bpe, int32_t id) {
  return AlphabetFromBytes(bpe.tokens[static_cast<size_t>(id) - bpe.special_tokens.size()]);
}

std::string JsonString(const std::string& text) { return Json(text).dump(); }

}  // namespace

Result<std::string> WordPattern(std::string_view name) {
  const std::pair<std::string_view, std::string_view> known[] = {{"gpt2", patterns::kGpt2},
                                                                 {"llama3", patterns::kLlama3},
                                                                 {"qwen2", patterns::kQwen2},
                                                                 {"ling", patterns::kLing}};
  for (const auto& [known_name, pattern] : known) {
    if (name == known_name) return std::string(pattern);
  }
  return BadInput("pattern", "", name, "gpt2, llama3, qwen2 or ling");
}

Result<TrainedBpe> TrainBpe(const std::vector<SourceFile>& files, const BpeTrainerOptions& options,
                            ThreadPool& pool) {
  // Wrong options are known before the text is read.
  RINGLET_RETURN_IF_ERROR(MergePairs({}, options).status());
  for (const std::string& token : options.special_tokens) {
    if (ValidUtf8Prefix(token) != token.size()) {
      return BadInput("special token", "", "bytes that are not UTF-8", "text");
    }
  }
  RINGLET_ASSIGN_OR_RETURN(const PreTokenizer pre_tokenizer, MakePreTokenizer(options.pattern));
  Counter counter(pre_tokenizer, pool.threads());
  TrainedBpe totals;
  RINGLET_RETURN_IF_ERROR(CountWords(files, options, pool, counter, totals));
  if (totals.documents == 0) return BadInput("text", "", "no documents", "some text to learn from");
  const WordCounts counts = counter.Sum();
  RINGLET_ASSIGN_OR_RETURN(TrainedBpe bpe, MergePairs(counts.Sorted(), options));
  bpe.documents = totals.documents;
  bpe.skipped = totals.skipped;
  bpe.bytes = totals.bytes;
  bpe.distinct_words = counts.size();
  return bpe;
}

std::string TokenizerJson(const TrainedBpe& bpe) {
  std::string added;
  std::string vocab;
  for (size_t i = 0; i < bpe.special_tokens.size(); ++i) {
    const std::string token = JsonString(bpe.special_tokens[i]);
    added += fmt::format(
        R"({}    {{"id": {}, "content": {}, "single_word": false, "lstrip": false, "rstrip": false, )"
        R"("normalized": false, "special": true}})",
        i == 0 ? "" : ",\n", i, token);
    vocab += fmt::format("{}      {}: {}", i == 0 ? "" : ",\n", token, i);
  }
  for (size_t i = 0; i < bpe.tokens.size(); ++i) {
    const size_t id = bpe.special_tokens.size() + i;
    vocab += fmt::format("{}      {}: {}", id == 0 ? "" : ",\n",
                         JsonString(AlphabetFromBytes(bpe.tokens[i])), id);
  }
  std::string merges;
  for (size_t i = 0; i < bpe.merges.size(); ++i) {
    const auto& merge = bpe.merges[i];
    merges += fmt::format("{}      {}", i == 0 ? "" : ",\n",
                          JsonString(Spelling(bpe, merge.left) + " " + Spelling(bpe, merge.right)));
  }
  constexpr std::string_view kByteLevel =
      R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})";
  std::string text = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  text += fmt::format("  \"added_tokens\": [\n{}\n  ],\n  \"normalizer\": null,\n", added);
  text += fmt::format(
      "  \"pre_tokenizer\": {{\"type\": \"Sequence\", \"pretokenizers\": [\n"
      "    {{\"type\": \"Split\", \"pattern\": {{\"Regex\": {}}}, \"behavior\": \"Isolated\", "
      "\"invert\": false}},\n    {}\n  ]}},\n",
      JsonString(bpe.pattern), kByteLevel);
  text += fmt::format("  \"post_processor\": null,\n  \"decoder\": {},\n", kByteLevel);
  text += fmt::format(
      "  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
      "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n"
      "    \"vocab\": {{\n{}\n    }},\n    \"merges\": [\n{}\n    ]\n  }}\n}}\n",
      vocab, merges);
  return text;
}

std::string TokenizerConfigJson(const TrainedBpe& bpe) {
  OrderedJson config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                     {"add_bos_token", false},
                     {"add_eos_token", false},
                     {"bos_token", nullptr},
                     {"clean_up_tokenization_spaces", false}};
  config["eos_token"] =
      bpe.special_tokens.empty() ? OrderedJson() : OrderedJson(bpe.special_tokens.front());
  return config.dump(2) + "\n";
}

}  // namespace ringlet
