// One sequence that a grammar constrains.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/grammar/grammar.h"
#include "io/grammar/vocabulary_trie.h"

namespace ringlet {

// Copies are forks: they go their own ways and share the caches of their original, under a lock, so
// a server keeps one matcher per grammar and copies it for each sequence. Different matchers may be
// used by different threads, also when one is a copy of the other.
class GrammarMatcher {
 public:
  GrammarMatcher(std::shared_ptr<const Grammar> grammar,
                 std::shared_ptr<const VocabularyTrie> vocabulary);

  // Resizes `bits` to one bit per id of the vocabulary, bit id % 64 of word id / 64, and sets those
  // of the tokens that Accept would take. End tokens are the caller's: see CanEnd. No bit is set
  // after a failure.
  void FillAllowed(std::vector<uint64_t>& bits);

  // False: not allowed, and nothing has changed.
  bool Accept(int32_t token);
  // The same for bytes that need not be whole tokens. No bytes are always accepted.
  bool AcceptBytes(std::string_view bytes);

  // The text up to here is complete: an end token is allowed.
  bool CanEnd() const { return can_end_ && status_.ok(); }
  // CanEnd, and nothing else is allowed.
  bool MustEnd() const { return CanEnd() && !can_go_on_; }

  // kResource once a step needed more than the limits allow. From then on nothing is allowed, not
  // even the end.
  const Status& status() const { return status_; }

 private:
  struct Core;

  void Fail();
  void MakeRoom();
  bool Step(std::string_view bytes);
  void Enter(uint32_t set);

  std::shared_ptr<Core> core_;
  uint32_t set_ = 0;
  bool can_end_ = false;
  bool can_go_on_ = false;
  Status status_;
};

}  // namespace ringlet
