// The form in which every grammar is matched: a pushdown automaton over bytes.
//
// States are joined by edges that read a byte, read nothing, or call a rule: a rule is a part of
// the automaton with one start and one end, and a call goes on at `after` when the end is reached.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "io/grammar/code_points.h"

namespace ringlet::grammar {

using StateId = uint32_t;

enum class EdgeKind : uint8_t { kByte, kEpsilon, kCall, kTailCall };

struct Edge {
  EdgeKind kind = EdgeKind::kEpsilon;
  uint8_t low = 0;  // kByte: the range that is read; byte classes in an Automaton
  uint8_t high = 0;
  StateId target = 0;  // calls: the start of the rule
  StateId after = 0;   // kCall: where it returns to; a tail call returns to where its caller would
};

// A start and an end. As a rule its end must have no edges.
struct Fragment {
  StateId start = 0;
  StateId end = 0;
};

// Immutable. Every state is reachable, and from every state the end of its rule can be reached; no
// rule can call itself again before a byte is read.
class Automaton {
 public:
  StateId start() const { return start_; }
  size_t size() const { return ends_.size(); }
  std::span<const Edge> edges(StateId state) const {
    return {edges_.data() + first_edge_[state], edges_.data() + first_edge_[state + 1]};
  }
  bool IsEnd(StateId state) const { return ends_[state] != 0; }
  bool ReadsBytes(StateId state) const { return reads_[state] != 0; }

  // Whether a repetition of a short rule (one without loops and calls) returns to this state.
  bool IsCounted(StateId state) const { return same_[state] != kNotCounted; }
  // A counted state that no text of at most kNearBytes bytes tells from this one.
  StateId NearlySame(StateId counted) const { return same_[counted]; }
  static constexpr size_t kNearBytes = 16;

  // Bytes that no edge tells apart share a class; classes are in the order of the bytes.
  uint8_t ByteClass(uint8_t byte) const { return class_of_[byte]; }
  uint32_t byte_classes() const { return byte_classes_; }

 private:
  friend class AutomatonFinisher;
  static constexpr StateId kNotCounted = UINT32_MAX;

  StateId start_ = 0;
  std::vector<uint32_t> first_edge_;
  std::vector<Edge> edges_;
  std::vector<uint8_t> ends_, reads_;
  std::vector<StateId> same_;
  std::array<uint8_t, 256> class_of_{};
  uint32_t byte_classes_ = 1;
};

// Makes an automaton from fragments. Calls beyond kMaxStates or kMaxEdges do nothing but let Finish
// fail, so that callers need not look after each step.
class AutomatonBuilder {
 public:
  StateId NewState();
  Fragment NewFragment();
  void AddEpsilon(StateId from, StateId to);
  void AddBytes(StateId from, uint8_t low, uint8_t high, StateId to);
  void AddText(StateId from, std::string_view bytes, StateId to);
  void AddCharacters(StateId from, const CodePointSet& set, StateId to);
  // From now on `rule` must only be called.
  void AddCall(StateId from, Fragment rule, StateId to);
  // `body` becomes a rule of its own, called from min to max times.
  void AddRepeat(StateId from, Fragment body, uint64_t min, uint64_t max, StateId to);

  Fragment Text(std::string_view bytes);
  Fragment Characters(const CodePointSet& set);
  // In these the fragments become part of the result.
  Fragment Concat(Fragment first, Fragment second);
  Fragment Optional(Fragment body);
  Fragment Star(Fragment body);
  Fragment Plus(Fragment body);
  Fragment Repeat(Fragment body, uint64_t min, uint64_t max);
  static constexpr uint64_t kUnbounded = UINT64_MAX;

  // For messages.
  void NameRule(Fragment rule, std::string name) { names_[rule.start] = std::move(name); }
  bool full() const { return full_; }

  // Errors name `source`: kResource beyond the limits, kUnsupported for left recursion,
  // kInvalidInput when no text at all matches.
  Result<Automaton> Finish(Fragment root, std::string_view source) const;

 private:
  friend class AutomatonFinisher;

  // States of a repetition: from each of them `rule` leads to the next.
  struct Chain {
    StateId first, last;
    StateId rule;
  };

  void AddEdge(StateId from, const Edge& edge);
  void AddChain(StateId& at, Fragment rule, uint64_t count, StateId exit = kNoExit);
  void AddUpTo(StateId from, Fragment rule, uint64_t max, StateId to);
  static constexpr StateId kNoExit = UINT32_MAX;

  uint32_t states_ = 0;
  std::vector<StateId> from_;  // parallel to edges_
  std::vector<Edge> edges_;
  std::unordered_map<StateId, StateId> start_of_end_;  // of every rule that is called
  std::unordered_map<StateId, std::string> names_;     // by start
  std::vector<Chain> chains_;
  bool full_ = false;
};

}  // namespace ringlet::grammar
