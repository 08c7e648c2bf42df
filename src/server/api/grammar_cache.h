// GrammarCache: compiled grammars of a model, by the text that they were made of.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "io/grammar/grammar.h"
#include "io/grammar/matcher.h"
#include "io/grammar/vocabulary_trie.h"

namespace ringlet {

// Keeps the last used. Matchers at their beginning, to be copied; copies share what they learn
// about the vocabulary. Any thread.
class GrammarCache {
 public:
  using Matcher = std::shared_ptr<const GrammarMatcher>;

  explicit GrammarCache(const Tokenizer& tokenizer)
      : vocabulary_(VocabularyTrie::Build(tokenizer)) {}

  // Errors name `source`: those of Grammar.
  Result<Matcher> Gbnf(std::string_view text, std::string_view source);
  Result<Matcher> Schema(const OrderedJson& schema, std::string_view source);
  Matcher AnyJsonObject();

 private:
  static constexpr size_t kKept = 64;

  struct Entry {
    std::string key;
    Matcher matcher;
  };
  template <typename Compile>
  Result<Matcher> Find(std::string key, Compile&& compile);

  const std::shared_ptr<const VocabularyTrie> vocabulary_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the last used first
};

}  // namespace ringlet
