// The tokens of a vocabulary as byte tries, laid out for one pass from the first node to the last.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/tokenizer.h"

namespace ringlet {

// Nodes in preorder. The root, the empty text, is not one of them.
class ByteTrie {
 public:
  struct Node {
    uint32_t skip;         // the first node that is not below this one
    uint32_t first_token;  // of the ids; they end where those of the next node begin
    uint16_t depth;        // bytes from the root
    uint8_t byte;
  };
  struct Token {
    std::string_view bytes;
    int32_t id;
  };

  // Keeps no reference to the bytes.
  explicit ByteTrie(std::vector<Token> tokens);

  uint32_t size() const { return static_cast<uint32_t>(nodes_.size() - 1); }
  const Node& node(uint32_t index) const { return nodes_[index]; }
  // The ids of the tokens that end at the node.
  std::span<const int32_t> Tokens(uint32_t index) const {
    return {ids_.data() + nodes_[index].first_token, ids_.data() + nodes_[index + 1].first_token};
  }

 private:
  std::vector<Node> nodes_;  // and one that ends the last
  std::vector<int32_t> ids_;
};

// Immutable; any number of threads and grammars may use one. Built once per model.
class VocabularyTrie {
 public:
  // Special tokens, ids without a token, tokens without bytes and tokens above 1024 bytes are not
  // in the trie: no grammar ever allows them.
  static std::shared_ptr<const VocabularyTrie> Build(const Tokenizer& tokenizer);
  // Token i has the bytes tokens[i]; empty ones are not in the trie.
  static std::shared_ptr<const VocabularyTrie> Build(std::span<const std::string_view> tokens);

  // Tokens of at most grammar::Automaton::kNearBytes bytes, and the few longer ones.
  const ByteTrie& short_tokens() const { return short_; }
  const ByteTrie& long_tokens() const { return long_; }

  // Empty for ids that are not in the trie.
  std::string_view TokenBytes(int32_t id) const;
  int32_t vocab_size() const { return static_cast<int32_t>(spans_.size()); }

 private:
  struct Span {
    uint32_t first = 0, count = 0;
  };
  VocabularyTrie(std::string text, std::vector<Span> spans, ByteTrie short_tokens,
                 ByteTrie long_tokens);

  const std::string text_;
  const std::vector<Span> spans_;  // by id
  const ByteTrie short_, long_;
};

}  // namespace ringlet
