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
    Walk(0, trie_.size(), set, bits, nullptr);
  }
  if (machine_.exhausted()) return nullptr;
  if (masks_.size() >= kKeptMasks) masks_.clear();
  return &masks_.emplace(set, std::move(bits)).first->second;
}

bool TokenMasks::AddByStacks(SetId set, std::vector<uint64_t>& bits) {
  std::vector<StackSetId> groups;
  for (const MachineConfig& config : machine_.Configs(set)) groups.push_back(config.stacks);
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  if (groups.size() > kMaxGroups) return false;
  return std::all_of(groups.begin(), groups.end(),
                     [&](StackSetId stacks) { return AddLocal(set, stacks, bits); });
}

bool TokenMasks::AddLocal(SetId set, StackSetId stacks, std::vector<uint64_t>& bits) {
  if (machine_.stacks().Depth(stacks) > kMaxStackDepth - Machine::kLocalDepth) return false;
  const Local* local = LocalOf(machine_.WithUnknownStacks(set, stacks));
  if (local == nullptr || local->cut) return false;
  for (size_t i = 0; i < words_; ++i) bits[i] |= local->bits[i];
  if (local->escapes.empty()) return true;
  const SetId outside = machine_.Pop(stacks);
  if ((machine_.Flags(outside) & Machine::kCut) != 0) return false;
  if (machine_.Configs(outside).empty()) return true;
  for (const uint32_t node : local->escapes) {
    if (machine_.exhausted()) return false;
    if (!Walk(node + 1, trie_.node(node).skip, outside, bits, nullptr)) return false;
  }
  return true;
}

const TokenMasks::Local* TokenMasks::LocalOf(SetId set) {
  if (const auto known = locals_.find(set); known != locals_.end()) return &known->second;
  Local local;
  local.bits.resize(words_);
  local.cut = !Walk(0, trie_.size(), set, local.bits, &local.escapes);
  if (machine_.exhausted()) return nullptr;
  local_bytes_ += words_ * sizeof(uint64_t) + local.escapes.size() * sizeof(uint32_t) + 64;
  return &locals_.emplace(set, std::move(local)).first->second;
}

// The nodes [begin, end) from `from`, which is the set before the first of them.
bool TokenMasks::Walk(uint32_t begin, uint32_t end, SetId from, std::vector<uint64_t>& bits,
                      std::vector<uint32_t>* escapes) {
  if (begin >= end) return true;
  path_[trie_.node(begin).depth - 1u] = from;
  uint64_t visited = 0;
  bool cut = false;
  for (uint32_t i = begin; i < end; ++visited) {
    const VocabularyTrie::Node& node = trie_.node(i);
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
      for (const int32_t id : trie_.Tokens(i)) {
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
