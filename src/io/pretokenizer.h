// Pre-tokenizers: how text is cut into the pieces within which byte pairs are merged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/regex.h"

namespace ringlet {

// What becomes of the matches of a split, as in tokenizer.json.
enum class SplitBehavior {
  kIsolated,            // each match a piece, each stretch between matches a piece
  kRemoved,             // matches are dropped
  kMergedWithPrevious,  // a match ends the piece before it
  kMergedWithNext,      // a match begins the piece after it
  kContiguous,          // neighbouring matches are one piece
};

// One step of a pre-tokenizer: an optional space in front, then an optional split.
struct PreTokenizerStage {
  bool add_prefix_space = false;  // unless the piece begins with a space
  std::optional<Regex> pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // what the pattern does not match counts as the match
};

// Patterns of published tokenizers, in the Oniguruma dialect.
namespace patterns {
extern const std::string_view kGpt2;
extern const std::string_view kLlama3;
extern const std::string_view kQwen2;
extern const std::string_view kLing;
extern const std::string_view kDigit;   // one numeric character
extern const std::string_view kDigits;  // a run of them
}  // namespace patterns

// Receives the pieces in order. A piece is valid only during the call.
class PieceSink {
 public:
  virtual ~PieceSink() = default;
  virtual void Piece(std::string_view piece) = 0;
};

// Immutable; any number of threads may split with it.
class PreTokenizer {
 public:
  static constexpr size_t kMaxStages = 16;

  PreTokenizer() = default;
  explicit PreTokenizer(std::vector<PreTokenizerStage> stages) : stages_(std::move(stages)) {}

  // Cuts `text`, any bytes: each stage cuts the pieces of the one before. Bytes that are not valid
  // UTF-8 are pieces of one byte each. Fails only when a pattern spends the budget of `scratch`.
  Status Split(std::string_view text, RegexScratch& scratch, PieceSink& sink) const;

 private:
  class StageSplitter;
  Status RunStages(size_t stage, std::string_view piece, RegexScratch& scratch,
                   PieceSink& sink) const;

  std::vector<PreTokenizerStage> stages_;
};

}  // namespace ringlet
