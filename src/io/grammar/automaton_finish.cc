// From the builder's edges to an Automaton: what cannot be matched is removed, what cannot be
// decided is refused.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "io/grammar/automaton.h"
#include "io/grammar/limits.h"

namespace ringlet::grammar {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

// Indices grouped by a key below `keys`.
struct Groups {
  Groups(size_t keys, const std::vector<uint32_t>& key_of)
      : first(keys + 1), members(key_of.size()) {
    for (const uint32_t key : key_of) ++first[key + 1];
    for (size_t i = 0; i < keys; ++i) first[i + 1] += first[i];
    std::vector<uint32_t> next(first.begin(), first.end() - 1);
    for (uint32_t i = 0; i < key_of.size(); ++i) members[next[key_of[i]]++] = i;
  }
  std::span<const uint32_t> operator[](uint32_t key) const {
    return {members.data() + first[key], members.data() + first[key + 1]};
  }
  std::vector<uint32_t> first, members;
};

std::vector<uint32_t> Targets(const std::vector<Edge>& edges, StateId Edge::*which) {
  std::vector<uint32_t> out;
  out.reserve(edges.size());
  for (const Edge& edge : edges) out.push_back(edge.*which);
  return out;
}

}  // namespace

class AutomatonFinisher {
 public:
  AutomatonFinisher(const AutomatonBuilder& builder, Fragment root)
      : builder_(builder),
        root_(root),
        rule_of_end_(builder.states_, kNone),
        out_(builder.states_, builder.from_) {
    for (const auto& [end, start] : builder.start_of_end_) rule_of_end_[end] = start;
    rule_of_end_[root.end] = root.start;
  }

  Result<Automaton> Run(std::string_view source) {
    FindNullable();
    FindProductive();
    if (productive_[root_.start] == 0) {
      return BadInput(source, "", "a grammar that no finite text matches",
                      "one that some text matches");
    }
    FindReachable();
    if (const StateId rule = FindLeftRecursion(); rule != kNone) {
      const auto name = builder_.names_.find(rule);
      return Status(
          StatusCode::kUnsupported,
          fmt::format("{}: {}: found left recursion (the rule begins with itself), expected a byte "
                      "before every recursion",
                      source, name == builder_.names_.end() ? "a group" : name->second));
    }
    return Build();
  }

 private:
  const Edge& edge(uint32_t index) const { return builder_.edges_[index]; }
  bool IsCall(uint32_t index) const { return edge(index).kind == EdgeKind::kCall; }
  bool Live(uint32_t index) const {
    const Edge& e = edge(index);
    return productive_[e.target] != 0 && (!IsCall(index) || productive_[e.after] != 0);
  }

  // nullable_[start]: the rule matches the empty text.
  void FindNullable() {
    nullable_.assign(builder_.states_, 0);
    std::vector<uint8_t> seen(builder_.states_);  // reached from its rule's start without a byte
    std::vector<StateId> work;
    std::vector<std::vector<StateId>> waiting(builder_.states_);  // by the rule they wait for
    const auto visit = [&](StateId s) {
      if (seen[s] == 0) work.push_back(s);
      seen[s] = 1;
    };
    visit(root_.start);
    for (const auto& [end, start] : builder_.start_of_end_) visit(start);
    while (!work.empty()) {
      const StateId state = work.back();
      work.pop_back();
      if (const StateId rule = rule_of_end_[state]; rule != kNone && nullable_[rule] == 0) {
        nullable_[rule] = 1;
        for (const StateId after : waiting[rule]) visit(after);
      }
      for (const uint32_t index : out_[state]) {
        const Edge& e = edge(index);
        if (e.kind == EdgeKind::kEpsilon) visit(e.target);
        if (e.kind != EdgeKind::kCall) continue;
        waiting[e.target].push_back(e.after);
        if (nullable_[e.target] != 0) visit(e.after);
      }
    }
  }

  // productive_[state]: some text leads from it to the end of its rule.
  void FindProductive() {
    const Groups by_target(builder_.states_, Targets(builder_.edges_, &Edge::target));
    const Groups by_after(builder_.states_, Targets(builder_.edges_, &Edge::after));
    productive_.assign(builder_.states_, 0);
    std::vector<StateId> work;
    const auto mark = [&](StateId s) {
      if (productive_[s] == 0) work.push_back(s);
      productive_[s] = 1;
    };
    for (StateId s = 0; s < builder_.states_; ++s) {
      if (rule_of_end_[s] != kNone) mark(s);
    }
    while (!work.empty()) {
      const StateId state = work.back();
      work.pop_back();
      for (const uint32_t index : by_target[state]) {
        if (Live(index)) mark(builder_.from_[index]);
      }
      for (const uint32_t index : by_after[state]) {
        if (IsCall(index) && Live(index)) mark(builder_.from_[index]);
      }
    }
  }

  void FindReachable() {
    number_.assign(builder_.states_, kNone);
    const auto visit = [&](StateId s) {
      if (number_[s] != kNone) return;
      number_[s] = static_cast<uint32_t>(order_.size());
      order_.push_back(s);
    };
    visit(root_.start);
    for (size_t i = 0; i < order_.size(); ++i) {
      for (const uint32_t index : out_[order_[i]]) {
        if (!Live(index)) continue;
        visit(edge(index).target);
        if (IsCall(index)) visit(edge(index).after);
      }
    }
  }

  // Tarjan's components of "can be reached without reading a byte": a call inside one is left
  // recursion. Without recursion here, because grammars may be long chains.
  StateId FindLeftRecursion() {
    struct Visit {
      StateId state;
      size_t next;  // twice the edge, and one more for the return of a nullable rule
    };
    const size_t n = builder_.states_;
    std::vector<uint32_t> index_of(n, kNone), low(n, kNone), component(n, kNone);
    std::vector<StateId> open;
    std::vector<Visit> visits;
    uint32_t counter = 0;
    const auto enter = [&](StateId s) {
      index_of[s] = low[s] = counter++;
      open.push_back(s);
      visits.push_back({s, 0});
    };
    for (const StateId root : order_) {
      if (index_of[root] != kNone) continue;
      enter(root);
      while (!visits.empty()) {
        Visit& visit = visits.back();
        const StateId s = visit.state;
        if (visit.next < 2 * out_[s].size()) {
          const StateId to = Successor(out_[s][visit.next / 2], visit.next % 2 == 1);
          ++visit.next;
          if (to == kNone || component[to] != kNone) continue;
          if (index_of[to] == kNone) {
            enter(to);
          } else {
            low[s] = std::min(low[s], index_of[to]);
          }
          continue;
        }
        visits.pop_back();
        if (!visits.empty()) low[visits.back().state] = std::min(low[visits.back().state], low[s]);
        if (low[s] != index_of[s]) continue;
        for (StateId member = kNone; member != s; open.pop_back()) {
          member = open.back();
          component[member] = s;
        }
      }
    }
    return RecursiveRule(component);
  }

  StateId Successor(uint32_t index, bool of_return) const {
    const Edge& e = edge(index);
    if (e.kind == EdgeKind::kByte || !Live(index)) return kNone;
    if (!of_return) return e.target;
    return IsCall(index) && nullable_[e.target] != 0 ? e.after : kNone;
  }

  StateId RecursiveRule(const std::vector<uint32_t>& component) const {
    StateId found = kNone;
    for (const StateId s : order_) {
      for (const uint32_t index : out_[s]) {
        if (!IsCall(index) || !Live(index)) continue;
        const StateId rule = edge(index).target;
        if (component[s] != component[rule]) continue;
        if (builder_.names_.contains(rule)) return rule;
        found = rule;
      }
    }
    return found;
  }

  // Whether from `state` there is nothing but the end of its rule.
  bool OnlyReturns(StateId state) const {
    for (int hops = 0; hops < 16; ++hops) {
      if (rule_of_end_[state] != kNone) return out_[state].empty();
      if (out_[state].size() != 1 || edge(out_[state][0]).kind != EdgeKind::kEpsilon) return false;
      state = edge(out_[state][0]).target;
    }
    return false;
  }

  Automaton Build() {
    Automaton automaton;
    BuildClasses(automaton);
    automaton.start_ = 0;
    automaton.first_edge_.push_back(0);
    for (const StateId s : order_) {
      bool reads = false;
      for (const uint32_t index : out_[s]) {
        if (!Live(index)) continue;
        Edge e = edge(index);
        reads |= e.kind == EdgeKind::kByte;
        if (e.kind == EdgeKind::kCall && OnlyReturns(e.after)) e.kind = EdgeKind::kTailCall;
        e.low = automaton.class_of_[e.low];
        e.high = automaton.class_of_[e.high];
        e.target = number_[e.target];
        e.after = e.kind == EdgeKind::kCall ? number_[e.after] : 0;
        automaton.edges_.push_back(e);
      }
      automaton.first_edge_.push_back(static_cast<uint32_t>(automaton.edges_.size()));
      automaton.ends_.push_back(rule_of_end_[s] != kNone ? 1 : 0);
      automaton.reads_.push_back(reads ? 1 : 0);
    }
    BuildCounted(automaton);
    return automaton;
  }

  // From two states of a chain that are both more than kNearBytes calls before its end, so many
  // bytes lead through the same calls.
  void BuildCounted(Automaton& automaton) const {
    automaton.same_.assign(order_.size(), Automaton::kNotCounted);
    for (const AutomatonBuilder::Chain& chain : builder_.chains_) {
      if (number_[chain.first] == kNone || nullable_[chain.rule] != 0 || !IsShort(chain.rule)) {
        continue;
      }
      for (StateId s = chain.first; s <= chain.last; ++s) {
        if (number_[s] == kNone) continue;
        const bool far = chain.last - s > Automaton::kNearBytes;
        automaton.same_[number_[s]] = number_[far ? chain.first : s];
      }
    }
  }

  // Neither loops nor calls, and few states.
  bool IsShort(StateId rule) const {
    constexpr size_t kShortRule = 200;
    std::vector<std::pair<StateId, size_t>> path = {{rule, 0}};
    std::unordered_map<StateId, bool> open = {{rule, true}};
    while (!path.empty()) {
      auto& [state, next] = path.back();
      if (next == out_[state].size()) {
        open[state] = false;
        path.pop_back();
        continue;
      }
      const uint32_t index = out_[state][next++];
      if (IsCall(index)) return false;
      const auto [known, is_new] = open.try_emplace(edge(index).target, true);
      if (!is_new && known->second) return false;
      if (open.size() > kShortRule) return false;
      if (is_new) path.emplace_back(edge(index).target, 0);
    }
    return true;
  }

  void BuildClasses(Automaton& automaton) const {
    std::array<uint8_t, 257> cut{};
    for (const StateId s : order_) {
      for (const uint32_t index : out_[s]) {
        const Edge& e = edge(index);
        if (e.kind != EdgeKind::kByte || !Live(index)) continue;
        cut[e.low] = 1;
        cut[size_t{e.high} + 1] = 1;
      }
    }
    uint32_t current = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      if (byte > 0 && cut[byte] != 0) ++current;
      automaton.class_of_[byte] = static_cast<uint8_t>(current);
    }
    automaton.byte_classes_ = current + 1;
  }

  const AutomatonBuilder& builder_;
  const Fragment root_;
  std::vector<StateId> rule_of_end_;  // the start of the rule that ends here, or kNone
  Groups out_;                        // edges by the state they leave
  std::vector<uint8_t> nullable_, productive_;
  std::vector<StateId> order_;    // the states that are kept
  std::vector<uint32_t> number_;  // their places in order_
};

Result<Automaton> AutomatonBuilder::Finish(Fragment root, std::string_view source) const {
  if (full_) {
    return Status(
        StatusCode::kResource,
        fmt::format("{}: found more than {} states or {} edges, expected a smaller grammar", source,
                    kMaxStates, kMaxEdges));
  }
  return AutomatonFinisher(*this, root).Run(source);
}

}  // namespace ringlet::grammar
