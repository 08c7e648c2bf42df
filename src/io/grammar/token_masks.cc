#include "io/grammar/token_masks.h"

#include <algorithm>

namespace ringlet::grammar {
namespace {

constexpr size_t kKeptMasks =
    64;                           // finished ones; those of one counted string are never seen again
constexpr size_t kMaxGroups = 8;  // with more stacks than this one walk for all is faster

}  // namespace

TokenMasks::TokenMasks(Machine& machine, const VocabularyTrie& trie)
    : machine_(machine),
      trie_(trie),
      words_((static_cast<size_t>(trie.vocab_size()) + 63) / 64),
      path_(kMaxTokenBytes + 1) {}

size_t TokenMasks::bytes() const {
  return local_bytes_ + (masks_.size() + 1) * words_ * sizeof(uint64_t);
}

const std::vector<uint64_t>* TokenMasks::Of(SetId set) {
  if (const auto known = masks_.find(set); known != masks_.end()) return &known->second;
  std::vector<uint64_t> bits(words_);
  if (!AddByStacks(set, bits)) {
    std::fill(bits.begin(), bits.end(), 0);
    for (const ByteTrie* trie : {&trie_.short_tokens(), &trie_.long_tokens()}) {
      Walk(*trie, 0, trie->size(), set, bits, nullptr);
    }
  }
  if (machine_.exhausted()) return nullptr;
  if (masks_.size() >= kKeptMasks) masks_.clear();
  return &masks_.emplace(set, std::move(bits)).first->second;
}

bool TokenMasks::AddByStacks(SetId set, std::vector<uint64_t>& bits) {
  const std::vector<StackSetId> bases = machine_.Bases(set);
  if (bases.size() > kMaxGroups) return false;
  return std::all_of(bases.begin(), bases.end(), [&](StackSetId base) {
    return AddLocal(trie_.short_tokens(), set, base, bits) &&
           AddLocal(trie_.long_tokens(), set, base, bits);
  });
}

bool TokenMasks::AddLocal(const ByteTrie& trie, SetId set, StackSetId base,
                          std::vector<uint64_t>& bits) {
  if (machine_.stacks().Depth(base) > kMaxStackDepth - Machine::kLocalDepth) return false;
  const bool is_short = &trie == &trie_.short_tokens();
  const Local* local = LocalOf(trie, machine_.WithUnknownBase(set, base, is_short));
  if (local == nullptr || local->cut) return false;
  for (size_t i = 0; i < words_; ++i) bits[i] |= local->bits[i];
  if (local->escapes.empty()) return true;
  const SetId outside = machine_.Pop(base);
  if ((machine_.Flags(outside) & Machine::kCut) != 0) return false;
  if (machine_.Configs(outside).empty()) return true;
  for (const uint32_t node : local->escapes) {
    if (machine_.exhausted()) return false;
    if (!Walk(trie, node + 1, trie.node(node).skip, outside, bits, nullptr)) return false;
  }
  return true;
}

const TokenMasks::Local* TokenMasks::LocalOf(const ByteTrie& trie, SetId set) {
  auto& locals = &trie == &trie_.short_tokens() ? short_locals_ : long_locals_;
  if (const auto known = locals.find(set); known != locals.end()) return &known->second;
  Local local;
  local.bits.resize(words_);
  local.cut = !Walk(trie, 0, trie.size(), set, local.bits, &local.escapes);
  if (machine_.exhausted()) return nullptr;
  local_bytes_ += words_ * sizeof(uint64_t) + local.escapes.size() * sizeof(uint32_t) + 64;
  return &locals.emplace(set, std::move(local)).first->second;
}

// The nodes [begin, end) from `from`, which is the set before the first of them.
bool TokenMasks::Walk(const ByteTrie& trie, uint32_t begin, uint32_t end, SetId from,
                      std::vector<uint64_t>& bits, std::vector<uint32_t>* escapes) {
  if (begin >= end) return true;
  path_[trie.node(begin).depth - 1u] = from;
  uint64_t visited = 0;
  bool cut = false;
  for (uint32_t i = begin; i < end; ++visited) {
    const ByteTrie::Node& node = trie.node(i);
    const uint8_t byte_class = machine_.automaton().ByteClass(node.byte);
    const SetId set = machine_.Next(path_[node.depth - 1u], byte_class);
    if (set == Machine::kDead) {
      i = node.skip;
      continue;
    }
    const bool goes_on = !machine_.Configs(set).empty();
    const uint8_t flags = machine_.Flags(set);
    cut |= (flags & Machine::kCut) != 0;
    if (goes_on || (flags & ~Machine::kCut) != 0) {
      for (const int32_t id : trie.Tokens(i)) {
        bits[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
      }
    }
    if (escapes != nullptr && (flags & Machine::kEscapes) != 0) escapes->push_back(i);
    path_[node.depth] = set;
    i = goes_on ? i + 1 : node.skip;
  }
  machine_.Charge(visited);
  return !cut;
}

}  // namespace ringlet::grammar
