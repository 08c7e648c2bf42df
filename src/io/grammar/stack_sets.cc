#include "io/grammar/stack_sets.h"

#include <algorithm>

#include "io/grammar/limits.h"

namespace ringlet::grammar {
namespace {

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ (hash >> 29);
}

}  // namespace

size_t StackSets::Hash::operator()(StackSetId id) const {
  uint64_t hash = 0;
  for (const StackFrame& frame : sets->Frames(id)) {
    hash = Mix(hash, (uint64_t{frame.state} << 32) | frame.rest);
  }
  return hash;
}

bool StackSets::Equal::operator()(StackSetId a, StackSetId b) const {
  return std::ranges::equal(sets->Frames(a), sets->Frames(b));
}

StackSets::StackSets(uint32_t unknown_depth) : ids_(16, Hash{this}, Equal{this}) {
  frames_.push_back({kBottom, 0});
  bottom_ = InternFrom(0, 0);
  frames_.push_back({kUnknown, 0});
  unknown_ = InternFrom(1, unknown_depth);
}

std::span<const StackFrame> StackSets::Frames(StackSetId id) const {
  return {frames_.data() + nodes_[id].first, nodes_[id].count};
}

size_t StackSets::bytes() const {
  return frames_.size() * sizeof(StackFrame) + nodes_.size() * (sizeof(Node) + 32) +
         unions_.size() * 48;
}

StackSetId StackSets::InternFrom(size_t first, uint32_t depth) {
  const auto id = static_cast<StackSetId>(nodes_.size());
  nodes_.push_back(
      {static_cast<uint32_t>(first), static_cast<uint32_t>(frames_.size() - first), depth});
  const auto [known, is_new] = ids_.insert(id);
  if (!is_new) {
    nodes_.pop_back();
    frames_.resize(first);
  }
  return *known;
}

StackSetId StackSets::Push(StateId state, StackSetId rest) {
  const size_t first = frames_.size();
  frames_.push_back({state, rest});
  return InternFrom(first, Depth(rest) + 1);
}

StackSetId StackSets::Union(StackSetId a, StackSetId b, uint64_t* work) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  const uint64_t key = (uint64_t{a} << 32) | b;
  if (const auto known = unions_.find(key); known != unions_.end()) return known->second;
  std::vector<StackFrame> merged;
  merged.reserve(nodes_[a].count + nodes_[b].count);
  size_t i = 0, j = 0;
  while (i < nodes_[a].count || j < nodes_[b].count) {
    if (++*work > kMaxWork) return a;
    const bool has_a = i < nodes_[a].count, has_b = j < nodes_[b].count;
    const StackFrame fa = has_a ? Frames(a)[i] : StackFrame{}, fb = has_b ? Frames(b)[j] : fa;
    if (has_a && has_b && fa.state == fb.state) {
      merged.push_back({fa.state, Union(fa.rest, fb.rest, work)});
      ++i, ++j;
    } else if (has_a && (!has_b || fa.state < fb.state)) {
      merged.push_back(fa);
      ++i;
    } else {
      merged.push_back(fb);
      ++j;
    }
  }
  if (*work > kMaxWork) return a;
  const size_t first = frames_.size();
  frames_.insert(frames_.end(), merged.begin(), merged.end());
  const StackSetId id = InternFrom(first, std::max(Depth(a), Depth(b)));
  unions_.emplace(key, id);
  return id;
}

}  // namespace ringlet::grammar
