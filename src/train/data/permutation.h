// A permutation of [0, size) chosen by a key, computed element by element: nothing is stored.
#pragma once

#include <bit>
#include <cstdint>

#include "base/check.h"
#include "base/rng.h"

namespace ringlet {

// A Feistel network over the next even number of bits; results outside [0, size) are fed in again
// (less than four times on average). The sequence for a key is fixed for good.
class Permutation {
 public:
  // size >= 1.
  Permutation(uint64_t size, uint64_t key) : size_(size) {
    RINGLET_CHECK(size >= 1, "a permutation of something");
    const int bits = std::bit_width(size - 1);
    half_ = bits < 2 ? 1 : (bits + 1) / 2;
    mask_ = (uint64_t{1} << half_) - 1;
    Rng rng(key);
    for (uint64_t& round_key : keys_) round_key = rng.Next();
  }

  // Different for different `index`; both below size.
  uint64_t operator()(uint64_t index) const {
    RINGLET_CHECK(index < size_, "an index of the permutation");
    do {
      index = Encrypt(index);
    } while (index >= size_);
    return index;
  }

 private:
  uint64_t Encrypt(uint64_t value) const {
    uint64_t left = value >> half_;
    uint64_t right = value & mask_;
    for (const uint64_t key : keys_) {
      const uint64_t mixed = left ^ (Rng(key ^ right).Next() & mask_);
      left = right;
      right = mixed;
    }
    return left << half_ | right;
  }

  uint64_t size_;
  int half_ = 1;
  uint64_t mask_ = 1;
  uint64_t keys_[6] = {};
};

}  // namespace ringlet
