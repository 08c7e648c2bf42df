// Which tokens may come next in a set of a Machine.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "io/grammar/machine.h"
#include "io/grammar/vocabulary_trie.h"

namespace ringlet::grammar {

// Most tokens stay inside the rule where they begin, so their fate does not depend on the stacks
// below: it is computed once for each set of states, and only what follows the rule's end is looked
// at for each stack. Not for several threads at once.
class TokenMasks {
 public:
  TokenMasks(Machine& machine, const VocabularyTrie& trie);

  // One bit per token id. Null when the machine is exhausted. Valid until the next call.
  const std::vector<uint64_t>* Of(SetId set);
  size_t bytes() const;

 private:
  struct Local {
    std::vector<uint64_t> bits;
    std::vector<uint32_t> escapes;  // trie nodes where the rule can have ended
    bool cut = false;
  };

  // Both return false when the depth of the stacks changed what is allowed: the result would be
  // that of another stack.
  bool AddLocal(const ByteTrie& trie, SetId set, StackSetId base, std::vector<uint64_t>& bits);
  bool Walk(const ByteTrie& trie, uint32_t begin, uint32_t end, SetId from,
            std::vector<uint64_t>& bits, std::vector<uint32_t>* escapes);
  const Local* LocalOf(const ByteTrie& trie, SetId set);  // null when the machine is exhausted
  bool AddByStacks(SetId set, std::vector<uint64_t>& bits);

  Machine& machine_;
  const VocabularyTrie& trie_;
  const size_t words_;
  std::vector<SetId> path_;  // by depth in the trie
  std::unordered_map<SetId, std::vector<uint64_t>> masks_;
  std::unordered_map<SetId, Local> short_locals_, long_locals_;
  size_t local_bytes_ = 0;
};

}  // namespace ringlet::grammar
