// The automaton as a deterministic machine that is built while it runs: its states are sets of
// (state, return stacks), each transition is computed once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "io/grammar/automaton.h"
#include "io/grammar/limits.h"
#include "io/grammar/stack_sets.h"

namespace ringlet::grammar {

using SetId = uint32_t;

struct MachineConfig {
  StateId state;  // reads bytes
  StackSetId stacks;
  bool operator==(const MachineConfig&) const = default;
};

// Not for several threads at once.
class Machine {
 public:
  static constexpr SetId kDead = 0;
  static constexpr uint8_t kAccepts = 1;  // the text may end here
  static constexpr uint8_t kEscapes = 2;  // an unknown stack was reached
  static constexpr uint8_t kCut = 4;      // a rule was not entered because of kMaxStackDepth

  // The stacks of sets made by WithUnknownBase may grow by kLocalDepth before they are cut.
  static constexpr uint32_t kLocalDepth = 64;

  explicit Machine(const Automaton& automaton);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  SetId Start();
  // kDead when nothing is left, and also when `exhausted`.
  SetId Next(SetId set, uint8_t byte_class) {
    const SetId next = table_[size_t{set} * classes_ + byte_class];
    return next != kUnset ? next : ComputeNext(set, byte_class);
  }
  // What follows when the rule of the top frames ends.
  SetId Pop(StackSetId stacks);
  // Where the stacks of a set can be cut off, each place once: below the top frames where these are
  // all counted states, else above them.
  std::vector<StackSetId> Bases(SetId set) const;
  // The configurations of `set` that have this base, with unknown stacks in its place. `nearly`:
  // counted states are replaced by those that kNearBytes bytes do not tell from them.
  SetId WithUnknownBase(SetId set, StackSetId base, bool nearly);
  // The equal of a set of another machine of the same automaton.
  SetId Adopt(const Machine& other, SetId set);

  uint8_t Flags(SetId set) const { return sets_[set].flags; }
  std::span<const MachineConfig> Configs(SetId set) const {
    return {configs_.data() + sets_[set].first, sets_[set].count};
  }
  const StackSets& stacks() const { return stacks_; }
  const Automaton& automaton() const { return automaton_; }

  // Each call of a matcher gets kMaxWork; without work left, or above kHardMatcherBytes, nothing
  // more is computed and exhausted() is true until the next StartWork.
  void StartWork() { work_ = 0; }
  void Charge(uint64_t work) { work_ += work; }
  bool exhausted() const { return work_ > kMaxWork || bytes() > kHardMatcherBytes; }
  size_t bytes() const;

 private:
  static constexpr SetId kUnset = UINT32_MAX;
  struct Set {
    uint32_t first, count;
    uint8_t flags;
  };
  struct Hash {
    const Machine* machine;
    size_t operator()(SetId id) const;
  };
  struct Equal {
    const Machine* machine;
    bool operator()(SetId a, SetId b) const;
  };

  SetId ComputeNext(SetId set, uint8_t byte_class);
  void Add(StateId state, StackSetId stacks);
  void AddReturns(StackSetId stacks);
  void Follow(const Edge& edge, StackSetId stacks);
  bool HasCountedTops(const MachineConfig& config) const;
  SetId Close();
  SetId InternFrom(size_t first, uint8_t flags);

  const Automaton& automaton_;
  const uint32_t classes_;
  StackSets stacks_;
  std::vector<MachineConfig> configs_;
  std::vector<Set> sets_;
  std::vector<SetId> table_;  // by set, then byte class
  std::unordered_set<SetId, Hash, Equal> ids_;
  uint64_t work_ = 0;

  // Of the set being computed.
  std::vector<StackSetId> stacks_of_;  // by state; kUnset where the state is not in the set
  std::vector<uint8_t> queued_;
  std::vector<StateId> touched_, queue_;
  uint8_t flags_ = 0;
};

}  // namespace ringlet::grammar
