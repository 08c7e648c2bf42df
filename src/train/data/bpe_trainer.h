// Training byte-level BPE: words of the text are counted, then the most frequent neighbouring pair
// of tokens becomes a token, again and again. Of equally frequent pairs the one with the lower ids
// (left, then right) comes first. The result depends on the text alone, never on threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "train/data/documents.h"
#include "train/data/word_counts.h"

namespace ringlet {

struct BpeTrainerOptions {
  int32_t vocab_size = 0;  // special tokens, 256 bytes and merged tokens together
  // They get the first ids and never come out of text; the first one ends documents.
  std::vector<std::string> special_tokens = {"<|endoftext|>"};
  // The regular expression, in the dialect of tokenizer.json, whose matches are the words.
  std::string pattern;
  int64_t min_count = 2;  // pairs that are rarer are not merged
  DocumentOptions documents = {};
  bool skip_bad = false;  // leave out documents that cannot be read instead of failing
  // Of the text read, then of the tokens made. Returning false stops with kCancelled.
  std::function<bool(uint64_t done, uint64_t total)> reading = {};
  std::function<bool(uint64_t done, uint64_t total)> merging = {};
};

struct TrainedBpe {
  std::vector<std::string> special_tokens;  // ids from 0
  std::vector<std::string> tokens;          // bytes; ids follow the special ones
  // Pairs of ids in order of priority, and what each becomes.
  struct Merge {
    int32_t left = 0;
    int32_t right = 0;
    int32_t result = 0;
  };
  std::vector<Merge> merges;
  std::string pattern;
  // Of the text.
  uint64_t documents = 0;
  uint64_t skipped = 0;
  uint64_t bytes = 0;
  uint64_t distinct_words = 0;
};

// The pattern called "gpt2", "llama3", "qwen2" or "ling"; an error that lists the names.
Result<std::string> WordPattern(std::string_view name);

// Fewer tokens than asked for come out when no pair is left that occurs `min_count` times.
// Errors: options that make no sense, what DocumentReader reports, a text whose words are together
// longer than 2^31 bytes.
Result<TrainedBpe> TrainBpe(const std::vector<SourceFile>& files, const BpeTrainerOptions& options,
                            ThreadPool& pool);

// The second half of TrainBpe: the words must be in byte order.
Result<TrainedBpe> MergePairs(std::span<const WordCounts::Word> words,
                              const BpeTrainerOptions& options);

// tokenizer.json and tokenizer_config.json as Hugging Face's libraries read them.
std::string TokenizerJson(const TrainedBpe& bpe);
std::string TokenizerConfigJson(const TrainedBpe& bpe);

}  // namespace ringlet
