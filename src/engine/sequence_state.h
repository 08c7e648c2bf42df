// SequenceState: what a sequence remembers, and the sharing rules. Internal to the engine.
//
// Softmax layers keep every position in KV pages of 64. Lightning layers keep the anchor (the state
// just before the last multiple of 64) and the tail (keys and values since then). Pages, tails and
// anchors are shared by forks; whoever writes makes its own copy first if anyone else holds one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "engine/page_slab.h"

namespace ringlet {

// 64 positions of all softmax layers, or of all lightning layers.
struct PositionBlock {
  // Zeros: unused slots are never looked at, but session files contain them.
  explicit PositionBlock(size_t bytes) : own(bytes), data(own.data(), bytes) {
    if (bytes > 0) std::memset(data.data(), 0, bytes);
  }
  // A place of a slab, uninitialised.
  PositionBlock(std::shared_ptr<PageSlab> from, std::byte* place)
      : slab(std::move(from)), data(place, slab->page_bytes()) {}
  ~PositionBlock() {
    if (slab != nullptr) slab->GiveBack(data.data());
  }
  PositionBlock(const PositionBlock&) = delete;
  PositionBlock& operator=(const PositionBlock&) = delete;

  // Who holds the memory: one of the two.
  AlignedBuffer<std::byte> own;
  const std::shared_ptr<PageSlab> slab;
  const std::span<std::byte> data;
};

// State of all lightning layers just before `position`, a multiple of 64.
struct Anchor {
  explicit Anchor(size_t floats) : data(floats) {}
  AlignedBuffer<float> data;
  int64_t position = 0;
};

struct SequenceState {
  std::vector<int32_t> tokens;
  std::vector<std::shared_ptr<PositionBlock>> pages;  // ceil(length / 64), softmax layers
  std::shared_ptr<PageSlab> slab;                     // where the next page may lie
  std::shared_ptr<PositionBlock> tail;                // lightning layers; null when empty
  std::shared_ptr<Anchor> anchor;                     // null: zero state before position 0
  // Anchors to restart from, by ascending position; the current one may be the last of them.
  std::vector<std::shared_ptr<Anchor>> kept;

  int64_t anchor_position() const { return anchor ? anchor->position : 0; }
};

// A page for the sequence's end, for the caller to append; its contents are undefined.
std::shared_ptr<PositionBlock> NewPage(SequenceState& state, size_t bytes);

// `block` if nobody else holds it, else a copy of it.
std::shared_ptr<PositionBlock> Unshared(std::shared_ptr<PositionBlock> block);

// Adds `anchor` to `kept` and thins the list: among more than kMaxKept anchors the one whose
// neighbours are closest goes, so that density falls with age.
inline constexpr size_t kMaxKept = 8;
void KeepAnchor(std::vector<std::shared_ptr<Anchor>>& kept, std::shared_ptr<Anchor> anchor);

}  // namespace ringlet
