// Counts and places of neighbouring pairs of tokens, for the BPE trainer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringlet {

struct PairInfo {
  int64_t count = 0;
  // Where the pair may begin; places that no longer hold it are among them.
  std::vector<uint32_t> places;
};

// From (left, right) to a PairInfo; pairs stay for good.
class PairTable {
 public:
  static uint64_t KeyOf(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  static int32_t LeftOf(uint64_t key) { return static_cast<int32_t>(key >> 32); }
  static int32_t RightOf(uint64_t key) { return static_cast<int32_t>(key); }

  PairTable() : slots_(kInitialSlots) {}

  // Made when absent. Valid until the next call.
  PairInfo& operator[](uint64_t key) {
    if ((infos_.size() + 1) * 2 > slots_.size()) Grow();
    Slot& slot = Find(key);
    if (slot.info == kNone) {
      slot = {key, static_cast<uint32_t>(infos_.size())};
      infos_.emplace_back();
    }
    return infos_[slot.info];
  }

  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.info != kNone) visit(slot.key, infos_[slot.info]);
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kInitialSlots = size_t{1} << 16;
  struct Slot {
    uint64_t key = 0;
    uint32_t info = kNone;
  };

  Slot& Find(uint64_t key) {
    const size_t mask = slots_.size() - 1;
    size_t at = (key * 0x9e3779b97f4a7c15u >> 20) & mask;
    while (slots_[at].info != kNone && slots_[at].key != key) at = (at + 1) & mask;
    return slots_[at];
  }
  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.info != kNone) Find(slot.key) = slot;
    }
  }

  std::vector<Slot> slots_;  // open addressing, a power of two
  std::vector<PairInfo> infos_;
};

}  // namespace ringlet
