#include <algorithm>
#include <map>
#include <utility>

#include "io/grammar/automaton.h"
#include "io/grammar/limits.h"

namespace ringlet::grammar {
namespace {

// Very long repetitions are made of blocks of this many, for fewer states. Not earlier: each state
// of the last block can end its rule, and masks are slower where a rule can end after every
// character.
constexpr uint64_t kBlock = 4096;

}  // namespace

StateId AutomatonBuilder::NewState() {
  if (states_ >= kMaxStates) {
    full_ = true;
    return 0;
  }
  return states_++;
}

Fragment AutomatonBuilder::NewFragment() {
  const StateId start = NewState();
  return {start, NewState()};
}

void AutomatonBuilder::AddEdge(StateId from, const Edge& edge) {
  if (edges_.size() >= kMaxEdges) full_ = true;
  if (full_) return;
  from_.push_back(from);
  edges_.push_back(edge);
}

void AutomatonBuilder::AddEpsilon(StateId from, StateId to) {
  AddEdge(from, {EdgeKind::kEpsilon, 0, 0, to, 0});
}

void AutomatonBuilder::AddBytes(StateId from, uint8_t low, uint8_t high, StateId to) {
  AddEdge(from, {EdgeKind::kByte, low, high, to, 0});
}

void AutomatonBuilder::AddCall(StateId from, Fragment rule, StateId to) {
  AddEdge(from, {EdgeKind::kCall, 0, 0, rule.start, to});
  if (!full_) start_of_end_[rule.end] = rule.start;
}

void AutomatonBuilder::AddText(StateId from, std::string_view bytes, StateId to) {
  StateId at = from;
  for (size_t i = 0; i < bytes.size() && !full_; ++i) {
    const StateId next = i + 1 == bytes.size() ? to : NewState();
    const auto byte = static_cast<uint8_t>(bytes[i]);
    AddBytes(at, byte, byte, next);
    at = next;
  }
  if (bytes.empty()) AddEpsilon(from, to);
}

void AutomatonBuilder::AddCharacters(StateId from, const CodePointSet& set, StateId to) {
  std::map<ByteRanges, StateId> tails;  // equal ends of sequences share their states
  for (const ByteRanges& sequence : Utf8Sequences(set)) {
    StateId next = to;
    for (size_t i = sequence.size(); i-- > 1;) {
      const ByteRanges tail(sequence.begin() + static_cast<ptrdiff_t>(i), sequence.end());
      const auto [known, is_new] = tails.try_emplace(tail, 0);
      if (is_new) {
        known->second = NewState();
        AddBytes(known->second, sequence[i].first, sequence[i].second, next);
      }
      next = known->second;
    }
    AddBytes(from, sequence[0].first, sequence[0].second, next);
    if (full_) return;
  }
}

// `at` moves behind `count` calls of `rule`; with an exit, fewer calls lead there.
void AutomatonBuilder::AddChain(StateId& at, Fragment rule, uint64_t count, StateId exit) {
  const StateId first = states_;
  for (; count > 0 && !full_; --count) {
    if (exit != kNoExit) AddEpsilon(at, exit);
    const StateId next = NewState();
    AddCall(at, rule, next);
    at = next;
  }
  if (states_ > first && !full_) chains_.push_back({first, states_ - 1, rule.start});
}

// Each number of calls is reached in one way only.
void AutomatonBuilder::AddUpTo(StateId from, Fragment rule, uint64_t max, StateId to) {
  StateId at = from;
  if (max >= 2 * kBlock) {
    const Fragment block = NewFragment();
    StateId inside = block.start;
    AddChain(inside, rule, kBlock);
    AddEpsilon(inside, block.end);
    const Fragment part = NewFragment();  // the last block, when it is not full
    AddUpTo(part.start, rule, kBlock - 1, part.end);
    for (; max >= kBlock && !full_; max -= kBlock) {
      AddCall(at, part, to);
      AddChain(at, block, 1);
    }
  }
  AddChain(at, rule, max, to);
  AddEpsilon(at, to);
}

void AutomatonBuilder::AddRepeat(StateId from, Fragment body, uint64_t min, uint64_t max,
                                 StateId to) {
  if (max < min) return;  // no text
  StateId at = NewState();
  AddEpsilon(from, at);
  uint64_t left = min;
  if (left >= 2 * kBlock) {
    const Fragment block = NewFragment();
    StateId inside = block.start;
    AddChain(inside, body, kBlock);
    AddEpsilon(inside, block.end);
    AddChain(at, block, left / kBlock);
    left %= kBlock;
  }
  AddChain(at, body, left);
  if (max != kUnbounded) {
    AddUpTo(at, body, max - min, to);
    return;
  }
  const StateId loop = NewState();
  AddEpsilon(at, loop);
  AddCall(loop, body, loop);
  AddEpsilon(loop, to);
}

Fragment AutomatonBuilder::Text(std::string_view bytes) {
  const Fragment out = NewFragment();
  AddText(out.start, bytes, out.end);
  return out;
}

Fragment AutomatonBuilder::Characters(const CodePointSet& set) {
  const Fragment out = NewFragment();
  AddCharacters(out.start, set, out.end);
  return out;
}

Fragment AutomatonBuilder::Concat(Fragment first, Fragment second) {
  AddEpsilon(first.end, second.start);
  return {first.start, second.end};
}

Fragment AutomatonBuilder::Optional(Fragment body) {
  const Fragment out = NewFragment();
  AddEpsilon(out.start, body.start);
  AddEpsilon(body.end, out.end);
  AddEpsilon(out.start, out.end);
  return out;
}

Fragment AutomatonBuilder::Plus(Fragment body) {
  const Fragment out = NewFragment();
  AddEpsilon(out.start, body.start);
  AddEpsilon(body.end, body.start);
  AddEpsilon(body.end, out.end);
  return out;
}

Fragment AutomatonBuilder::Star(Fragment body) { return Optional(Plus(body)); }

Fragment AutomatonBuilder::Repeat(Fragment body, uint64_t min, uint64_t max) {
  const Fragment out = NewFragment();
  AddRepeat(out.start, body, min, max, out.end);
  return out;
}

}  // namespace ringlet::grammar
