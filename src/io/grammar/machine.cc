#include "io/grammar/machine.h"

#include <algorithm>
#include <map>

namespace ringlet::grammar {

size_t Machine::Hash::operator()(SetId id) const {
  uint64_t hash = machine->sets_[id].flags;
  for (const MachineConfig& config : machine->Configs(id)) {
    hash = (hash ^ ((uint64_t{config.state} << 32) | config.stacks)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

bool Machine::Equal::operator()(SetId a, SetId b) const {
  return machine->sets_[a].flags == machine->sets_[b].flags &&
         std::ranges::equal(machine->Configs(a), machine->Configs(b));
}

Machine::Machine(const Automaton& automaton)
    : automaton_(automaton),
      classes_(automaton.byte_classes()),
      stacks_(kMaxStackDepth - kLocalDepth),
      ids_(16, Hash{this}, Equal{this}),
      stacks_of_(automaton.size(), kUnset),
      queued_(automaton.size()) {
  InternFrom(0, 0);  // kDead
}

size_t Machine::bytes() const {
  return stacks_.bytes() + configs_.size() * sizeof(MachineConfig) + table_.size() * sizeof(SetId) +
         sets_.size() * (sizeof(Set) + 32);
}

SetId Machine::Start() {
  Add(automaton_.start(), stacks_.bottom());
  return Close();
}

SetId Machine::ComputeNext(SetId set, uint8_t byte_class) {
  if (exhausted()) return kDead;
  for (uint32_t i = 0; i < sets_[set].count; ++i) {
    const MachineConfig config = configs_[sets_[set].first + i];
    for (const Edge& edge : automaton_.edges(config.state)) {
      ++work_;
      if (edge.kind != EdgeKind::kByte || byte_class < edge.low || byte_class > edge.high) continue;
      Add(edge.target, config.stacks);
    }
  }
  const SetId next = Close();
  if (exhausted()) return kDead;
  table_[size_t{set} * classes_ + byte_class] = next;
  return next;
}

SetId Machine::Pop(StackSetId stacks) {
  AddReturns(stacks);
  return Close();
}

void Machine::Add(StateId state, StackSetId stacks) {
  StackSetId& known = stacks_of_[state];
  if (known == kUnset) {
    touched_.push_back(state);
    known = stacks;
  } else {
    const StackSetId both = stacks_.Union(known, stacks, &work_);
    if (both == known) return;
    known = both;
  }
  if (queued_[state] != 0) return;
  queued_[state] = 1;
  queue_.push_back(state);
}

void Machine::AddReturns(StackSetId stacks) {
  const size_t count = stacks_.Frames(stacks).size();
  for (size_t i = 0; i < count; ++i) {
    const StackFrame frame = stacks_.Frames(stacks)[i];
    ++work_;
    if (frame.state == StackSets::kBottom) {
      flags_ |= kAccepts;
    } else if (frame.state == StackSets::kUnknown) {
      flags_ |= kEscapes;
    } else {
      Add(frame.state, frame.rest);
    }
  }
}

void Machine::Follow(const Edge& edge, StackSetId stacks) {
  ++work_;
  switch (edge.kind) {
    case EdgeKind::kByte:
      return;
    case EdgeKind::kEpsilon:
    case EdgeKind::kTailCall:
      return Add(edge.target, stacks);
    case EdgeKind::kCall:
      if (stacks_.Depth(stacks) >= kMaxStackDepth) {
        flags_ |= kCut;
        return;
      }
      return Add(edge.target, stacks_.Push(edge.after, stacks));
  }
}

// Everything that can be reached without a byte. Ends because no rule calls itself that way.
SetId Machine::Close() {
  while (!queue_.empty()) {
    const StateId state = queue_.back();
    queue_.pop_back();
    queued_[state] = 0;
    if (exhausted()) continue;
    const StackSetId stacks = stacks_of_[state];
    if (automaton_.IsEnd(state)) AddReturns(stacks);
    for (const Edge& edge : automaton_.edges(state)) Follow(edge, stacks);
  }
  std::sort(touched_.begin(), touched_.end());
  const size_t first = configs_.size();
  for (const StateId state : touched_) {
    if (automaton_.ReadsBytes(state)) configs_.push_back({state, stacks_of_[state]});
    stacks_of_[state] = kUnset;
  }
  touched_.clear();
  return InternFrom(first, std::exchange(flags_, uint8_t{0}));
}

SetId Machine::InternFrom(size_t first, uint8_t flags) {
  const auto id = static_cast<SetId>(sets_.size());
  sets_.push_back(
      {static_cast<uint32_t>(first), static_cast<uint32_t>(configs_.size() - first), flags});
  const auto [known, is_new] = ids_.insert(id);
  if (is_new) {
    table_.resize(table_.size() + classes_, sets_[id].count == 0 ? kDead : kUnset);
    work_ += classes_ / 8 + sets_[id].count;
  } else {
    sets_.pop_back();
    configs_.resize(first);
  }
  return *known;
}

bool Machine::HasCountedTops(const MachineConfig& config) const {
  return std::ranges::all_of(stacks_.Frames(config.stacks), [&](const StackFrame& frame) {
    return frame.state < StackSets::kUnknown && automaton_.IsCounted(frame.state);
  });
}

std::vector<StackSetId> Machine::Bases(SetId set) const {
  std::vector<StackSetId> bases;
  for (const MachineConfig& config : Configs(set)) {
    if (!HasCountedTops(config)) {
      bases.push_back(config.stacks);
      continue;
    }
    for (const StackFrame& frame : stacks_.Frames(config.stacks)) bases.push_back(frame.rest);
  }
  std::sort(bases.begin(), bases.end());
  bases.erase(std::unique(bases.begin(), bases.end()), bases.end());
  return bases;
}

SetId Machine::WithUnknownBase(SetId set, StackSetId base, bool nearly) {
  const size_t first = configs_.size();
  const auto add = [&](StateId state, StackSetId stacks) {
    if (configs_.size() > first && configs_.back().state == state) {
      stacks = stacks_.Union(configs_.back().stacks, stacks, &work_);
      configs_.pop_back();
    }
    configs_.push_back({state, stacks});
  };
  for (uint32_t i = 0; i < sets_[set].count; ++i) {
    const MachineConfig config = configs_[sets_[set].first + i];
    if (!HasCountedTops(config)) {
      if (config.stacks == base) add(config.state, stacks_.unknown());
      continue;
    }
    for (size_t k = 0; k < stacks_.Frames(config.stacks).size(); ++k) {
      const StackFrame frame = stacks_.Frames(config.stacks)[k];
      if (frame.rest != base) continue;
      const StateId top = nearly ? automaton_.NearlySame(frame.state) : frame.state;
      add(config.state, stacks_.Push(top, stacks_.unknown()));
    }
  }
  return InternFrom(first, 0);
}

SetId Machine::Adopt(const Machine& other, SetId set) {
  // Ids grow from the bottom of the stacks to their tops, so one pass in order sees every rest
  // before the frames above it.
  std::map<StackSetId, StackSetId> ours;
  std::vector<StackSetId> open;
  const auto visit = [&](StackSetId id) {
    if (ours.emplace(id, 0).second) open.push_back(id);
  };
  for (const MachineConfig& config : other.Configs(set)) visit(config.stacks);
  while (!open.empty()) {
    const StackSetId id = open.back();
    open.pop_back();
    for (const StackFrame& frame : other.stacks_.Frames(id)) {
      if (frame.state < StackSets::kUnknown) visit(frame.rest);
    }
  }
  for (auto& [id, mine] : ours) {
    bool first = true;
    for (const StackFrame& frame : other.stacks_.Frames(id)) {
      const StackSetId one = frame.state == StackSets::kBottom
                                 ? stacks_.bottom()
                                 : stacks_.Push(frame.state, ours.at(frame.rest));
      mine = first ? one : stacks_.Union(mine, one, &work_);
      first = false;
    }
  }
  const size_t first = configs_.size();
  for (const MachineConfig& config : other.Configs(set)) {
    configs_.push_back({config.state, ours.at(config.stacks)});
  }
  return InternFrom(first, other.Flags(set));
}

}  // namespace ringlet::grammar
