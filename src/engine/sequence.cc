#include "engine/sequence.h"

#include <algorithm>
#include <cstring>

#include "engine/sequence_state.h"

namespace ringlet {

Sequence::Sequence() : state_(std::make_unique<SequenceState>()) {}
Sequence::Sequence(Sequence&&) noexcept = default;
Sequence& Sequence::operator=(Sequence&&) noexcept = default;
Sequence::~Sequence() = default;

int64_t Sequence::length() const { return static_cast<int64_t>(state_->tokens.size()); }

std::span<const int32_t> Sequence::tokens() const { return state_->tokens; }

Sequence Sequence::Fork() const {
  Sequence fork;
  *fork.state_ = *state_;
  return fork;
}

int64_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  return std::ranges::mismatch(a, b).in1 - a.begin();
}

std::shared_ptr<PositionBlock> NewPage(SequenceState& state, size_t bytes) {
  std::byte* place = state.slab != nullptr ? state.slab->Take() : nullptr;
  if (place == nullptr) {
    const size_t pages = PagesToAllocate(bytes, state.pages.size());
    if (pages == 1) return std::make_shared<PositionBlock>(bytes);
    state.slab = std::make_shared<PageSlab>(bytes, pages);
    place = state.slab->Take();
  }
  return std::make_shared<PositionBlock>(state.slab, place);
}

std::shared_ptr<PositionBlock> Unshared(std::shared_ptr<PositionBlock> block) {
  if (block.use_count() == 1) return block;
  auto copy = std::make_shared<PositionBlock>(block->data.size());
  std::memcpy(copy->data.data(), block->data.data(), block->data.size());
  return copy;
}

void KeepAnchor(std::vector<std::shared_ptr<Anchor>>& kept, std::shared_ptr<Anchor> anchor) {
  const auto at = std::lower_bound(
      kept.begin(), kept.end(), anchor->position,
      [](const std::shared_ptr<Anchor>& a, int64_t position) { return a->position < position; });
  if (at != kept.end() && (*at)->position == anchor->position) return;
  kept.insert(at, std::move(anchor));
  if (kept.size() <= kMaxKept) return;
  size_t victim = 0;
  int64_t smallest = INT64_MAX;
  for (size_t i = 0; i + 1 < kept.size(); ++i) {
    const int64_t before = i == 0 ? 0 : kept[i - 1]->position;
    const int64_t gap = kept[i + 1]->position - before;
    if (gap < smallest) {
      smallest = gap;
      victim = i;
    }
  }
  kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(victim));
}

}  // namespace ringlet
