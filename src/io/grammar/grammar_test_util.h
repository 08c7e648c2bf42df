// Grammars, vocabularies and walks for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "io/grammar/matcher.h"

namespace ringlet {

inline std::shared_ptr<const Grammar> Gbnf(std::string_view text) {
  auto grammar = Grammar::FromGbnf(text, "test.gbnf");
  EXPECT_TRUE(grammar.ok()) << grammar.status().message();
  return grammar.ok() ? *grammar : nullptr;
}

inline Result<std::shared_ptr<const Grammar>> CompileSchema(std::string_view text) {
  auto schema = ParseOrderedJson(text, "test");
  if (!schema.ok()) return schema.status();
  return Grammar::FromJsonSchema(*schema, "test");
}

inline std::shared_ptr<const Grammar> Schema(std::string_view text) {
  auto grammar = CompileSchema(text);
  EXPECT_TRUE(grammar.ok()) << grammar.status().message();
  return grammar.ok() ? *grammar : nullptr;
}

// The 256 bytes as ids 0 to 255, then `more`.
inline std::shared_ptr<const VocabularyTrie> ByteVocabulary(
    const std::vector<std::string>& more = {}) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  tokens.insert(tokens.end(), more.begin(), more.end());
  return VocabularyTrie::Build(std::vector<std::string_view>(tokens.begin(), tokens.end()));
}

// Tokens that begin and end in the middle of JSON's elements.
inline std::vector<std::string> JsonTokens() {
  return {"{\"",    "\":",      "\": \"",   "\",",      "\", \"", "\"}",     "\"},{\"", "},",
          "}]",     "]}",       "}}",       "]]",       "[[",     "[{\"",    "\n  ",    "\n    ",
          ", ",     ",\n",      "true",     "true,",    "tr",     "null",    "null}",   "false",
          "12",     "123",      "1.",       "0.5",      "e1",     "-1",      "-",       "ab",
          "abc",    "a\"",      "\"a",      "\"b\"",    "\\u",    "\\ud83d", "\\n",     "é",
          "中",     "\xf0\x9f", "\x98\x80", "\xe4\xb8", "name",   "\"name",  "kind",    "\"}}",
          "\"]",    "],\"",     "{}",       "[]",       "{\n",    "\"\"",    "    ",    "  \"",
          "\"x\":", "0,",       "0}",       "9]",       "-0",     "2024-"};
}

inline bool Matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  GrammarMatcher matcher(grammar, VocabularyTrie::Build({}));
  return matcher.AcceptBytes(text) && matcher.CanEnd();
}

inline bool Allowed(const std::vector<uint64_t>& bits, int32_t id) {
  return (bits[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
}

inline std::vector<int32_t> AllowedIds(const std::vector<uint64_t>& bits) {
  std::vector<int32_t> ids;
  for (size_t id = 0; id < bits.size() * 64; ++id) {
    if (Allowed(bits, static_cast<int32_t>(id))) ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

}  // namespace ringlet
