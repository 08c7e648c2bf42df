// PrefixCache: what sequences have computed, kept for later sequences that begin alike.
//
// A tree over token ids. An edge is a block of 64 tokens; a node holds the block's KV page (softmax
// layers) and, at some nodes, the anchor after it (lightning layers). A new sequence gets the pages
// and the last anchor of its longest known beginning and computes the rest, so its bits are those
// of a sequence that computed everything: pages and anchors are shared and nobody writes to a
// shared one.
//
// With lightning layers reuse ends at an anchor, a multiple of 64: fewer than 64 tokens before the
// end of what was inserted there. Without them it ends at the token where the texts part.
//
// Not thread-safe: belongs to the thread that runs the engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/sequence.h"
#include "model/model.h"

namespace ringlet {

class PrefixCache {
 public:
  explicit PrefixCache(const Model& model);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  // How many of `tokens`, from the first, need not be computed again.
  int64_t Reusable(std::span<const int32_t> tokens) const;

  // Appends the Reusable() tokens, with what they computed, to an empty sequence.
  void Restore(std::span<const int32_t> tokens, Sequence& sequence);

  // Remembers the full blocks of `sequence` and its anchor. Where a block is known already, the
  // sequence gives up its own page for the one that is kept.
  void Insert(Sequence& sequence);

  // Forgets what is worth least until `bytes` bytes of pages and anchors have been freed, and
  // returns how many were. Worth is the tokens that would have to be computed again, for each byte
  // and by how recently it was of use. Pages that a live sequence shares are not forgotten: that
  // frees nothing. An anchor that one shares is its own from then on.
  size_t Evict(size_t bytes);

  // Kept: tokens in the tree, and bytes.
  int64_t tokens() const;
  size_t page_bytes() const;
  size_t anchor_bytes() const;

 private:
  struct Node;
  struct Path;
  struct Candidate;

  Path Find(std::span<const int32_t> tokens) const;
  void CollectCandidates(std::vector<Candidate>& out) const;
  // Removes a leaf and whatever above it has become useless; returns bytes freed.
  size_t RemoveLeaf(Node* leaf, size_t wanted);
  double Worth(double tokens, size_t bytes, uint64_t last_use) const;

  const size_t page_bytes_;
  const size_t anchor_bytes_;  // 0: the model has no lightning layers
  std::unique_ptr<Node> root_;
  uint64_t clock_ = 0;
  size_t nodes_ = 0;
  size_t anchors_ = 0;
};

}  // namespace ringlet
