#include "engine/prefix_cache.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "engine/sequence_state.h"
#include "engine/state_bytes.h"
#include "ops/kv_block.h"

namespace ringlet {
namespace {

using Block = std::array<int32_t, kBlockPositions>;

Block BlockAt(std::span<const int32_t> tokens, int64_t block) {
  Block out;
  std::ranges::copy(tokens.subspan(static_cast<size_t>(block * kBlockPositions), out.size()),
                    out.begin());
  return out;
}

}  // namespace

struct PrefixCache::Node {
  std::map<Block, std::unique_ptr<Node>> children;
  Node* parent = nullptr;
  Block block{};
  int64_t depth = 0;  // blocks up to and with this one
  std::shared_ptr<PositionBlock> page;
  std::shared_ptr<Anchor> anchor;  // the state after the block, or null
  uint64_t last_use = 0;

  bool in_use() const { return page.use_count() > 1; }
};

// The known beginning of a text: whole blocks from the root, and a child that goes on alike.
struct PrefixCache::Path {
  std::vector<Node*> nodes;
  Node* partial = nullptr;
  int64_t partial_tokens = 0;
};

struct PrefixCache::Candidate {
  Node* node;
  bool leaf;  // the whole node; else only its anchor
  double worth;
};

PrefixCache::PrefixCache(const Model& model)
    : page_bytes_(StateBytes::Of(model).page),
      anchor_bytes_(StateBytes::Of(model).anchor),
      root_(std::make_unique<Node>()) {}

// A long text is a long chain: children are taken apart here, not by destructors calling each
// other.
PrefixCache::~PrefixCache() {
  std::vector<std::unique_ptr<Node>> pending;
  pending.push_back(std::move(root_));
  while (!pending.empty()) {
    const std::unique_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
    for (auto& [block, child] : node->children) pending.push_back(std::move(child));
  }
}

int64_t PrefixCache::tokens() const { return static_cast<int64_t>(nodes_) * kBlockPositions; }
size_t PrefixCache::page_bytes() const { return nodes_ * page_bytes_; }
size_t PrefixCache::anchor_bytes() const { return anchors_ * anchor_bytes_; }

PrefixCache::Path PrefixCache::Find(std::span<const int32_t> tokens) const {
  Path path;
  Node* at = root_.get();
  const int64_t blocks = std::ssize(tokens) / kBlockPositions;
  while (std::ssize(path.nodes) < blocks) {
    const auto child = at->children.find(BlockAt(tokens, at->depth));
    if (child == at->children.end()) break;
    at = child->second.get();
    path.nodes.push_back(at);
  }
  // The child with the longest common beginning is beside the place where the rest would stand.
  const std::span<const int32_t> rest =
      tokens.subspan(static_cast<size_t>(at->depth * kBlockPositions));
  Block padded;
  padded.fill(INT32_MIN);
  std::ranges::copy(rest.first(std::min(rest.size(), padded.size())), padded.begin());
  const auto consider = [&](Node* child) {
    const int64_t common = CommonPrefix(child->block, rest);
    if (common <= path.partial_tokens) return;
    path.partial = child;
    path.partial_tokens = common;
  };
  const auto next = at->children.lower_bound(padded);
  if (next != at->children.end()) consider(next->second.get());
  if (next != at->children.begin()) consider(std::prev(next)->second.get());
  // With lightning layers only what an anchor follows is of use.
  if (anchor_bytes_ > 0) {
    path.partial = nullptr;
    path.partial_tokens = 0;
    while (!path.nodes.empty() && path.nodes.back()->anchor == nullptr) path.nodes.pop_back();
  }
  return path;
}

int64_t PrefixCache::Reusable(std::span<const int32_t> tokens) const {
  const Path path = Find(tokens);
  return std::ssize(path.nodes) * kBlockPositions + path.partial_tokens;
}

void PrefixCache::Restore(std::span<const int32_t> tokens, Sequence& sequence) {
  RINGLET_CHECK(sequence.length() == 0, "a sequence is restored from its beginning");
  const Path path = Find(tokens);
  ++clock_;
  SequenceState& state = sequence.state();
  for (Node* node : path.nodes) {
    node->last_use = clock_;
    state.pages.push_back(node->page);
  }
  if (!path.nodes.empty() && anchor_bytes_ > 0) state.anchor = path.nodes.back()->anchor;
  int64_t length = std::ssize(path.nodes) * kBlockPositions;
  if (path.partial != nullptr) {
    path.partial->last_use = clock_;
    state.pages.push_back(path.partial->page);
    length += path.partial_tokens;
  }
  state.tokens.assign(tokens.begin(), tokens.begin() + length);
}

void PrefixCache::Insert(Sequence& sequence) {
  SequenceState& state = sequence.state();
  ++clock_;
  Node* at = root_.get();
  for (int64_t i = 0; i < sequence.length() / kBlockPositions; ++i) {
    std::shared_ptr<PositionBlock>& page = state.pages[static_cast<size_t>(i)];
    auto [child, added] = at->children.try_emplace(BlockAt(state.tokens, i));
    if (added) {
      child->second = std::make_unique<Node>();
      child->second->parent = at;
      child->second->block = child->first;
      child->second->depth = at->depth + 1;
      child->second->page = page;
      ++nodes_;
    }
    at = child->second.get();
    at->last_use = clock_;
    page = at->page;
    if (state.anchor == nullptr || at->anchor != nullptr) continue;
    if (state.anchor->position != at->depth * kBlockPositions) continue;
    at->anchor = state.anchor;
    ++anchors_;
  }
}

double PrefixCache::Worth(double tokens, size_t bytes, uint64_t last_use) const {
  const auto age = static_cast<double>(clock_ - last_use + 1);
  return tokens / age / static_cast<double>(std::max<size_t>(bytes, 1));
}

void PrefixCache::CollectCandidates(std::vector<Candidate>& out) const {
  struct Visit {
    Node* node;
    int64_t anchored;  // blocks before the nearest anchor above
  };
  std::vector<Visit> pending{{root_.get(), 0}};
  while (!pending.empty()) {
    const auto [node, anchored] = pending.back();
    pending.pop_back();
    const int64_t own = node->anchor != nullptr ? node->depth : anchored;
    for (const auto& [block, child] : node->children) pending.push_back({child.get(), own});
    if (node == root_.get()) continue;
    const auto gap = static_cast<double>((node->depth - anchored) * kBlockPositions);
    if (node->children.empty() && !node->in_use()) {
      // Blocks after the last anchor are of use to nobody.
      const bool useless = anchor_bytes_ > 0 && node->anchor == nullptr;
      const size_t bytes = page_bytes_ + (node->anchor != nullptr ? anchor_bytes_ : 0);
      const double tokens = node->anchor != nullptr ? gap : double{kBlockPositions};
      out.push_back({node, true, useless ? 0 : Worth(tokens, bytes, node->last_use)});
    } else if (node->anchor != nullptr) {
      out.push_back({node, false, Worth(gap, anchor_bytes_, node->last_use)});
    }
  }
}

size_t PrefixCache::RemoveLeaf(Node* leaf, size_t wanted) {
  size_t freed = 0;
  while (true) {
    Node* parent = leaf->parent;
    const uint64_t last_use = leaf->last_use;
    freed += page_bytes_;
    --nodes_;
    if (leaf->anchor != nullptr) {
      freed += anchor_bytes_;
      --anchors_;
    }
    // A copy: the key lies in the node that goes.
    const Block block = leaf->block;
    parent->children.erase(block);
    leaf = parent;
    if (leaf == root_.get() || !leaf->children.empty() || leaf->in_use()) return freed;
    if (leaf->anchor != nullptr) return freed;
    if (anchor_bytes_ == 0 && (freed >= wanted || leaf->last_use > last_use)) return freed;
  }
}

size_t PrefixCache::Evict(size_t bytes) {
  size_t freed = 0;
  while (freed < bytes) {
    std::vector<Candidate> candidates;
    CollectCandidates(candidates);
    if (candidates.empty()) break;
    std::ranges::stable_sort(candidates, {}, &Candidate::worth);
    for (const Candidate& candidate : candidates) {
      if (freed >= bytes) break;
      if (candidate.leaf) {
        freed += RemoveLeaf(candidate.node, bytes - freed);
        continue;
      }
      candidate.node->anchor.reset();
      --anchors_;
      freed += anchor_bytes_;
      break;  // the anchors after it are worth more now
    }
  }
  return freed;
}

}  // namespace ringlet
