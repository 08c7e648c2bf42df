// Regular expressions that come from model files, run under limits.
//
// tokenizer.json holds patterns of the Oniguruma dialect; they run here on PCRE2's compiled
// matcher. Patterns whose meaning differs between the two are translated or refused, never guessed.
// A pattern that backtracks without end is stopped by a budget and reported as kResource.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ringlet {

struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
};

// Memory that matching needs and the work it may still do, for one text and one thread.
class RegexScratch {
 public:
  // The budget is proportional to `text_bytes`, with a margin that no published pattern uses up.
  explicit RegexScratch(size_t text_bytes);
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct Pcre2;
  std::unique_ptr<Pcre2> pcre2_;
  uint64_t budget_;
};

// An immutable compiled pattern; any number of threads may match with it.
class Regex {
 public:
  static constexpr size_t kMaxPatternBytes = 4096;

  // Errors name `source` and `field`: a pattern too long, not valid, or with a construct that means
  // something else in PCRE2.
  static Result<Regex> Compile(std::string_view pattern, std::string_view source,
                               std::string_view field);

  // The first match that begins at or after `start`. `subject` must be valid UTF-8 and `start` a
  // character boundary; look-behind sees the subject from its beginning. kResource when the budget
  // of `scratch` is spent.
  Result<std::optional<ByteRange>> Find(std::string_view subject, size_t start,
                                        RegexScratch& scratch) const;

  const std::string& pattern() const { return pattern_; }

 private:
  struct Code;
  Regex(std::string pattern, std::shared_ptr<const Code> code)
      : pattern_(std::move(pattern)), code_(std::move(code)) {}

  Status Failure(int error) const;

  std::string pattern_;
  std::shared_ptr<const Code> code_;
};

// `pattern` rewritten from Oniguruma's dialect to PCRE2's: \s \S \w \uHHHH. kUnsupported, naming
// the construct, for those that differ and are in no published tokenizer: \W in a class, \b, \h,
// classes in classes, && in a class, {,n}, {n}+, {n}?, (*VERB), (?m), and options neither at the
// start of the pattern nor with a group of their own.
Result<std::string> TranslateOniguruma(std::string_view pattern);

}  // namespace ringlet
