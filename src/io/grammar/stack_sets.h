// Sets of return stacks, shared and hash-consed: equal sets have equal ids, so sets that grow
// exponentially when written out stay small when their ends are shared.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "io/grammar/automaton.h"

namespace ringlet::grammar {

using StackSetId = uint32_t;

// One way to go on when a rule ends: at `state`, with one of the stacks `rest` below.
struct StackFrame {
  StateId state;
  StackSetId rest;
  bool operator==(const StackFrame&) const = default;
};

class StackSets {
 public:
  // Frames of these states end a stack: the whole text may end, or the rest is not known.
  static constexpr StateId kBottom = UINT32_MAX;
  static constexpr StateId kUnknown = UINT32_MAX - 1;

  // An unknown rest counts as `unknown_depth` deep.
  explicit StackSets(uint32_t unknown_depth);
  StackSets(const StackSets&) = delete;
  StackSets& operator=(const StackSets&) = delete;

  StackSetId bottom() const { return bottom_; }
  StackSetId unknown() const { return unknown_; }

  StackSetId Push(StateId state, StackSetId rest);
  // Recursion is as deep as the stacks. Adds to *work what it looked at; beyond kMaxWork the result
  // is wrong and not remembered.
  StackSetId Union(StackSetId a, StackSetId b, uint64_t* work);

  // Sorted by state, each state once. Invalid after Push and Union.
  std::span<const StackFrame> Frames(StackSetId id) const;
  uint32_t Depth(StackSetId id) const { return nodes_[id].depth; }
  size_t bytes() const;

 private:
  struct Node {
    uint32_t first, count, depth;
  };
  struct Hash {
    const StackSets* sets;
    size_t operator()(StackSetId id) const;
  };
  struct Equal {
    const StackSets* sets;
    bool operator()(StackSetId a, StackSetId b) const;
  };

  // The frames appended to frames_ since `first` become a set, or are dropped for an equal one.
  StackSetId InternFrom(size_t first, uint32_t depth);

  std::vector<StackFrame> frames_;
  std::vector<Node> nodes_;
  std::unordered_set<StackSetId, Hash, Equal> ids_;
  std::unordered_map<uint64_t, StackSetId> unions_;
  StackSetId bottom_ = 0, unknown_ = 0;
};

}  // namespace ringlet::grammar
