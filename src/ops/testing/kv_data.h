// Random keys and values in KV blocks.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "ops/kv_block.h"
#include "ops/testing/random.h"
#include "tensor/dtype.h"

namespace ringlet::testing {

inline void StoreKvElement(KvType type, std::byte* half, int64_t index, float value) {
  if (type == KvType::kF32) {
    std::memcpy(half + 4 * index, &value, 4);
  } else {
    const bf16_t rounded = FloatToBf16(value);
    std::memcpy(half + 2 * index, &rounded, 2);
  }
}

// The blocks of one layer of one sequence. Slots that were never written are NaN.
class KvSequence {
 public:
  KvSequence(const KvLayout& kv, int64_t length) : kv_(kv) {
    const int64_t blocks = (length + kBlockPositions - 1) / kBlockPositions;
    storage_.assign(static_cast<size_t>(blocks * kv.block_bytes()), std::byte{0xff});
    for (int64_t b = 0; b < blocks; ++b) {
      pointers_.push_back(storage_.data() + b * kv.block_bytes());
    }
  }

  // The pointers refer to the storage: movable, not copyable.
  KvSequence(KvSequence&&) = default;

  void FillNormal(Rng* rng, int64_t length, double key_scale = 1.0) {
    for (int64_t position = 0; position < length; ++position) {
      for (int64_t head = 0; head < kv_.kv_heads; ++head) {
        for (int64_t i = 0; i < kv_.head_dim; ++i) {
          SetKey(position, head, i, static_cast<float>(rng->Normal() * key_scale));
          SetValue(position, head, i, static_cast<float>(rng->Normal()));
        }
      }
    }
  }

  void SetKey(int64_t position, int64_t head, int64_t i, float value) {
    StoreKvElement(kv_.type, Block(position) + kv_.keys(head),
                   i * kBlockPositions + position % kBlockPositions, value);
  }
  void SetValue(int64_t position, int64_t head, int64_t i, float value) {
    StoreKvElement(kv_.type, Block(position) + kv_.values(head),
                   position % kBlockPositions * kv_.head_dim + i, value);
  }

  const std::byte* const* blocks() const { return pointers_.data(); }

 private:
  std::byte* Block(int64_t position) {
    return storage_.data() + position / kBlockPositions * kv_.block_bytes();
  }

  KvLayout kv_;
  std::vector<std::byte> storage_;
  std::vector<const std::byte*> pointers_;
};

}  // namespace ringlet::testing
