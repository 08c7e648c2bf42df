// Byte-pair encoding of one piece: start from the bytes, always join the neighbouring pair whose
// merge comes first in the list, the leftmost of equals, until no pair has a merge.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "io/vocabulary.h"

namespace ringlet {

struct BpeMerge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

struct BpeOptions {
  int32_t unk = -1;            // stands for bytes that have no token; -1: they are left out
  bool fuse_unk = false;       // a run of such bytes is one unk
  bool ignore_merges = false;  // a piece that is a token as a whole is that token
};

// Recent pieces and their ids: text repeats its words. One per text and thread.
class BpeCache {
 public:
  static constexpr size_t kMaxPiece = 23;
  static constexpr size_t kMaxIds = 9;

  struct Entry {
    uint8_t length = 0;  // 0: empty
    uint8_t count = 0;
    std::array<char, kMaxPiece> piece{};
    std::array<int32_t, kMaxIds> ids{};
  };

  BpeCache() : entries_(kEntries) {}
  Entry& Slot(std::string_view piece);

 private:
  static constexpr size_t kEntries = 4096;
  std::vector<Entry> entries_;
};

// Immutable; any number of threads may encode with it.
class Bpe {
 public:
  // `byte_ids` holds the token of each byte, or -1. `merges` are in order of priority and hold each
  // pair once. `vocabulary` must outlive this; its index is what ignore_merges looks pieces up in.
  Bpe(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges,
      const BpeOptions& options, const Vocabulary& vocabulary);

  // Appends the ids of `piece`: O(n log n) in its length, which must be below 2^31. `cache` may be
  // null.
  void Encode(std::string_view piece, BpeCache* cache, std::vector<int32_t>& ids) const;

  bool CoversAllBytes() const;

 private:
  // One slot of the pair table, open addressing.
  struct Pair {
    uint64_t key = kEmpty;
    uint32_t rank = kNoMerge;
    int32_t result = -1;
  };
  static constexpr uint64_t kEmpty = UINT64_MAX;
  static constexpr uint32_t kNoMerge = UINT32_MAX;
  static constexpr size_t kShortPiece = 48;

  static uint64_t KeyOf(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t SlotOf(uint64_t key) const { return (key * 0x9e3779b97f4a7c15u) >> shift_; }
  Pair FindPair(int32_t left, int32_t right) const;

  void EncodeMerged(std::string_view piece, std::vector<int32_t>& ids) const;
  void AppendBytes(std::string_view piece, std::vector<int32_t>& ids) const;
  // Both merge the ids from `first` on, in place.
  void MergeShort(size_t first, std::vector<int32_t>& ids) const;
  void MergeLong(size_t first, std::vector<int32_t>& ids) const;

  std::array<int32_t, 256> byte_ids_;
  BpeOptions options_;
  const Vocabulary& vocabulary_;
  std::vector<Pair> pairs_;
  int shift_;
};

}  // namespace ringlet
