#include "io/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <queue>

#include "base/check.h"

namespace ringlet {

BpeCache::Entry& BpeCache::Slot(std::string_view piece) {
  return entries_[std::hash<std::string_view>{}(piece) % kEntries];
}

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges,
         const BpeOptions& options, const Vocabulary& vocabulary)
    : byte_ids_(byte_ids), options_(options), vocabulary_(vocabulary) {
  const size_t slots = std::bit_ceil(std::max<size_t>(2 * merges.size(), 16));
  pairs_.resize(slots);
  shift_ = 64 - std::countr_zero(slots);
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t key = KeyOf(merges[rank].left, merges[rank].right);
    size_t slot = SlotOf(key);
    while (pairs_[slot].key != kEmpty) slot = (slot + 1) & (slots - 1);
    pairs_[slot] = {key, static_cast<uint32_t>(rank), merges[rank].result};
  }
}

Bpe::Pair Bpe::FindPair(int32_t left, int32_t right) const {
  const uint64_t key = KeyOf(left, right);
  size_t slot = SlotOf(key);
  while (pairs_[slot].key != key) {
    if (pairs_[slot].key == kEmpty) return {};
    slot = (slot + 1) & (pairs_.size() - 1);
  }
  return pairs_[slot];
}

bool Bpe::CoversAllBytes() const {
  return std::ranges::none_of(byte_ids_, [](int32_t id) { return id < 0; });
}

void Bpe::Encode(std::string_view piece, BpeCache* cache, std::vector<int32_t>& ids) const {
  if (cache == nullptr || piece.empty() || piece.size() > BpeCache::kMaxPiece) {
    EncodeMerged(piece, ids);
    return;
  }
  BpeCache::Entry& entry = cache->Slot(piece);
  if (std::string_view(entry.piece.data(), entry.length) == piece) {
    ids.insert(ids.end(), entry.ids.begin(), entry.ids.begin() + entry.count);
    return;
  }
  const size_t first = ids.size();
  EncodeMerged(piece, ids);
  const size_t count = ids.size() - first;
  if (count > BpeCache::kMaxIds) return;
  entry.length = static_cast<uint8_t>(piece.size());
  entry.count = static_cast<uint8_t>(count);
  std::ranges::copy(piece, entry.piece.begin());
  std::copy(ids.begin() + static_cast<ptrdiff_t>(first), ids.end(), entry.ids.begin());
}

void Bpe::EncodeMerged(std::string_view piece, std::vector<int32_t>& ids) const {
  if (options_.ignore_merges) {
    if (const int32_t whole = vocabulary_.Find(piece); whole >= 0) {
      ids.push_back(whole);
      return;
    }
  }
  const size_t first = ids.size();
  AppendBytes(piece, ids);
  if (ids.size() - first <= kShortPiece) {
    MergeShort(first, ids);
  } else {
    MergeLong(first, ids);
  }
}

void Bpe::AppendBytes(std::string_view piece, std::vector<int32_t>& ids) const {
  bool after_unk = false;
  for (const char byte : piece) {
    int32_t id = byte_ids_[static_cast<uint8_t>(byte)];
    const bool unknown = id < 0;
    if (unknown) id = after_unk && options_.fuse_unk ? -1 : options_.unk;
    if (id >= 0) ids.push_back(id);
    after_unk = unknown;
  }
}

void Bpe::MergeShort(size_t first, std::vector<int32_t>& ids) const {
  const size_t begin_size = ids.size() - first;
  if (begin_size < 2) return;
  int32_t* tokens = ids.data() + first;
  std::array<uint32_t, kShortPiece> ranks;  // ranks[i] is that of the pair (i, i + 1)
  std::array<int32_t, kShortPiece> results;
  const auto look_up = [&](size_t i) {
    const Pair pair = FindPair(tokens[i], tokens[i + 1]);
    ranks[i] = pair.rank;
    results[i] = pair.result;
  };
  size_t size = begin_size;
  for (size_t i = 0; i + 1 < size; ++i) look_up(i);
  while (size > 1) {
    const uint32_t* last = ranks.data() + size - 1;
    const uint32_t* best = std::min_element<const uint32_t*>(ranks.data(), last);
    if (*best == kNoMerge) break;
    const size_t at = static_cast<size_t>(best - ranks.data());
    tokens[at] = results[at];
    // Token at + 1 is gone, and with it the pair (at + 1, at + 2).
    const size_t moved = size - at - 2;
    std::memmove(tokens + at + 1, tokens + at + 2, moved * sizeof(tokens[0]));
    if (moved > 0) {
      std::memmove(&ranks[at + 1], &ranks[at + 2], (moved - 1) * sizeof(ranks[0]));
      std::memmove(&results[at + 1], &results[at + 2], (moved - 1) * sizeof(results[0]));
    }
    --size;
    if (at > 0) look_up(at - 1);
    if (at + 1 < size) look_up(at);
  }
  ids.resize(first + size);
}

void Bpe::MergeLong(size_t first, std::vector<int32_t>& ids) const {
  // A doubly linked list over the ids; `rank` is that of the pair of a node and its next. The queue
  // holds (rank, position); an entry whose rank is no longer its node's is stale.
  struct Node {
    uint32_t previous;
    uint32_t next;
    uint32_t rank;
    int32_t result;
  };
  constexpr uint32_t kNone = UINT32_MAX;
  const uint32_t size = static_cast<uint32_t>(ids.size() - first);
  int32_t* tokens = ids.data() + first;
  std::vector<Node> nodes(size);
  std::vector<uint64_t> initial;
  const auto look_up = [&](uint32_t at) {
    const uint32_t next = nodes[at].next;
    const Pair pair = next == kNone ? Pair{} : FindPair(tokens[at], tokens[next]);
    nodes[at].rank = pair.rank;
    nodes[at].result = pair.result;
    return pair.rank != kNoMerge;
  };
  const auto entry = [&](uint32_t at) { return uint64_t{nodes[at].rank} << 32 | at; };
  for (uint32_t i = 0; i < size; ++i) {
    nodes[i].previous = i == 0 ? kNone : i - 1;
    nodes[i].next = i + 1 == size ? kNone : i + 1;
    if (look_up(i)) initial.push_back(entry(i));
  }
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue(std::greater<>{},
                                                                             std::move(initial));
  while (!queue.empty()) {
    const uint64_t top = queue.top();
    queue.pop();
    const uint32_t at = static_cast<uint32_t>(top);
    if (nodes[at].rank != top >> 32) continue;
    const uint32_t gone = nodes[at].next;
    tokens[at] = nodes[at].result;
    nodes[at].next = nodes[gone].next;
    nodes[gone].rank = kNoMerge;
    if (nodes[at].next != kNone) nodes[nodes[at].next].previous = at;
    if (look_up(at)) queue.push(entry(at));
    const uint32_t previous = nodes[at].previous;
    if (previous != kNone && look_up(previous)) queue.push(entry(previous));
  }
  size_t kept = first;
  for (uint32_t at = 0; at != kNone; at = nodes[at].next) ids[kept++] = tokens[at];
  ids.resize(kept);
}

}  // namespace ringlet
