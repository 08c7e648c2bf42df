#include "io/grammar/vocabulary_trie.h"

#include <algorithm>
#include <utility>

#include "io/grammar/automaton.h"
#include "io/grammar/limits.h"

namespace ringlet {

ByteTrie::ByteTrie(std::vector<Token> tokens) {
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const Token& a, const Token& b) { return a.bytes < b.bytes; });
  std::vector<uint32_t> path;  // the nodes above the next one
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) {
      nodes_[path.back()].skip = static_cast<uint32_t>(nodes_.size());
    }
  };
  std::string_view last;
  for (const auto& [bytes, id] : tokens) {
    const auto differs = std::mismatch(last.begin(), last.end(), bytes.begin(), bytes.end());
    const auto common = static_cast<size_t>(differs.first - last.begin());
    close(common);
    for (size_t depth = common; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, static_cast<uint32_t>(ids_.size()), static_cast<uint16_t>(depth + 1),
                        static_cast<uint8_t>(bytes[depth])});
    }
    ids_.push_back(id);
    last = bytes;
  }
  close(0);
  nodes_.push_back(
      {static_cast<uint32_t>(nodes_.size()), static_cast<uint32_t>(ids_.size()), 0, 0});
}

VocabularyTrie::VocabularyTrie(std::string text, std::vector<Span> spans, ByteTrie short_tokens,
                               ByteTrie long_tokens)
    : text_(std::move(text)),
      spans_(std::move(spans)),
      short_(std::move(short_tokens)),
      long_(std::move(long_tokens)) {}

std::shared_ptr<const VocabularyTrie> VocabularyTrie::Build(const Tokenizer& tokenizer) {
  std::vector<std::string_view> tokens(static_cast<size_t>(tokenizer.vocab_size()));
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.IsSpecial(id)) tokens[static_cast<size_t>(id)] = tokenizer.TokenBytes(id);
  }
  return Build(tokens);
}

std::shared_ptr<const VocabularyTrie> VocabularyTrie::Build(
    std::span<const std::string_view> tokens) {
  std::string text;
  std::vector<Span> spans(tokens.size());
  std::vector<ByteTrie::Token> few_bytes, more_bytes;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty() || tokens[i].size() > grammar::kMaxTokenBytes) continue;
    spans[i] = {static_cast<uint32_t>(text.size()), static_cast<uint32_t>(tokens[i].size())};
    text += tokens[i];
    const bool is_short = tokens[i].size() <= grammar::Automaton::kNearBytes;
    (is_short ? few_bytes : more_bytes).push_back({tokens[i], static_cast<int32_t>(i)});
  }
  return std::shared_ptr<const VocabularyTrie>(new VocabularyTrie(std::move(text), std::move(spans),
                                                                  ByteTrie(std::move(few_bytes)),
                                                                  ByteTrie(std::move(more_bytes))));
}

std::string_view VocabularyTrie::TokenBytes(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  const Span span = spans_[static_cast<size_t>(id)];
  return std::string_view(text_).substr(span.first, span.count);
}

}  // namespace ringlet
