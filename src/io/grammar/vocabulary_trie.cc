#include "io/grammar/vocabulary_trie.h"

#include <algorithm>
#include <string>

#include "io/grammar/limits.h"

namespace ringlet {

std::shared_ptr<const VocabularyTrie> VocabularyTrie::Build(const Tokenizer& tokenizer) {
  std::vector<std::string_view> tokens(static_cast<size_t>(tokenizer.vocab_size()));
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.IsSpecial(id)) tokens[static_cast<size_t>(id)] = tokenizer.TokenBytes(id);
  }
  return Build(tokens);
}

std::shared_ptr<const VocabularyTrie> VocabularyTrie::Build(
    std::span<const std::string_view> tokens) {
  std::shared_ptr<VocabularyTrie> trie(new VocabularyTrie());
  trie->spans_.resize(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty() || tokens[i].size() > grammar::kMaxTokenBytes) continue;
    trie->spans_[i] = {static_cast<uint32_t>(trie->text_.size()),
                       static_cast<uint32_t>(tokens[i].size())};
    trie->text_ += tokens[i];
    trie->tokens_.push_back(static_cast<int32_t>(i));
  }
  std::stable_sort(trie->tokens_.begin(), trie->tokens_.end(),
                   [&](int32_t a, int32_t b) { return trie->TokenBytes(a) < trie->TokenBytes(b); });
  trie->AddNodes();
  return trie;
}

std::string_view VocabularyTrie::TokenBytes(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  const Span span = spans_[static_cast<size_t>(id)];
  return std::string_view(text_).substr(span.first, span.count);
}

void VocabularyTrie::AddNodes() {
  std::vector<uint32_t> path;  // the nodes above the next one
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) {
      nodes_[path.back()].skip = static_cast<uint32_t>(nodes_.size());
    }
  };
  std::string_view last;
  for (uint32_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view bytes = TokenBytes(tokens_[i]);
    const auto differs = std::mismatch(last.begin(), last.end(), bytes.begin(), bytes.end());
    const auto common = static_cast<size_t>(differs.first - last.begin());
    close(common);
    for (size_t depth = common; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back(
          {0, i, static_cast<uint16_t>(depth + 1), static_cast<uint8_t>(bytes[depth])});
    }
    last = bytes;
  }
  close(0);
  nodes_.push_back(
      {static_cast<uint32_t>(nodes_.size()), static_cast<uint32_t>(tokens_.size()), 0, 0});
}

}  // namespace ringlet
