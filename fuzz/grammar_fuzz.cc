// Input: a first byte, 's' for a JSON schema, 'g' for GBNF; the grammar's text; a zero byte; a text
// to match. Compiling must end in a grammar or an error. What the masks allow must be what Accept
// takes, matching in one piece must be matching byte by byte, and a whole text of a schema must be
// JSON.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "io/grammar/matcher.h"

namespace {

std::shared_ptr<const ringlet::VocabularyTrie> Vocabulary() {
  static std::vector<std::string> tokens;
  if (tokens.empty()) {
    for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
    for (const char* more : {"\":", "{\"", "\"}", "},", "a\"", "ab", "12", "\n  ", "]}", "aaaa"}) {
      tokens.emplace_back(more);
    }
  }
  return ringlet::VocabularyTrie::Build(
      std::vector<std::string_view>(tokens.begin(), tokens.end()));
}

ringlet::Result<std::shared_ptr<const ringlet::Grammar>> Compile(char kind, std::string_view text) {
  if (kind != 's') return ringlet::Grammar::FromGbnf(text, "fuzz");
  const auto schema = ringlet::ParseOrderedJson(text, "fuzz");
  if (!schema.ok()) return schema.status();
  return ringlet::Grammar::FromJsonSchema(*schema, "fuzz");
}

void CheckMask(ringlet::GrammarMatcher& matcher, const ringlet::VocabularyTrie& vocabulary) {
  std::vector<uint64_t> bits;
  matcher.FillAllowed(bits);
  if (!matcher.status().ok()) return;
  for (int32_t id = 0; id < vocabulary.vocab_size(); ++id) {
    ringlet::GrammarMatcher fork = matcher;
    const bool allowed = (bits[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
    if (fork.Accept(id) != allowed && fork.status().ok()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 8192) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t split = std::min(all.find('\0'), all.size());
  const auto grammar = Compile(static_cast<char>(data[0]), all.substr(0, split));
  if (!grammar.ok()) return 0;
  const auto vocabulary = Vocabulary();
  const std::string_view text = all.substr(std::min(split + 1, all.size())).substr(0, 64);
  ringlet::GrammarMatcher matcher(*grammar, vocabulary);
  ringlet::GrammarMatcher whole = matcher;
  bool accepted = true;
  const auto begin = std::chrono::steady_clock::now();
  for (const char byte : text) {
    // Each call is bounded; hundreds of calls that reach the bound are not what is tested here.
    if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(1)) return 0;
    CheckMask(matcher, *vocabulary);
    accepted = accepted && matcher.AcceptBytes(std::string_view(&byte, 1));
  }
  CheckMask(matcher, *vocabulary);
  if (!matcher.status().ok()) return 0;
  const bool at_once = whole.AcceptBytes(text);
  if (whole.status().ok() && at_once != accepted) std::abort();
  if (at_once && whole.CanEnd() && data[0] == 's' && !ringlet::Json::accept(text)) std::abort();
  return 0;
}
