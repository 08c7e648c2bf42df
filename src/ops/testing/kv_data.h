// Random keys and values in KV blocks.
#pragma once

#include <algorithm>
#include <cmath>
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
        if (kv_.type == KvType::kInt8) {
          SetScales(position, head, static_cast<float>(0.02 * key_scale), 0.03f);
        }
        for (int64_t i = 0; i < kv_.head_dim; ++i) {
          SetKey(position, head, i, static_cast<float>(rng->Normal() * key_scale));
          SetValue(position, head, i, static_cast<float>(rng->Normal()));
        }
      }
    }
  }

  // The same, with the first `distinct` positions over and over: whole blocks, in little time.
  void FillRepeating(Rng* rng, int64_t length, int64_t distinct) {
    FillNormal(rng, std::min(length, distinct));
    for (int64_t position = distinct; position < length; position += kBlockPositions) {
      std::memcpy(Block(position), Block(position % distinct),
                  static_cast<size_t>(kv_.block_bytes()));
    }
  }

  // INT8 elements become the nearest multiples of the position's scale.
  void SetKey(int64_t position, int64_t head, int64_t i, float value) {
    std::byte* block = Block(position);
    Set(block + kv_.keys(head), block + kv_.key_scales(head),
        kv_.key_index(position % kBlockPositions, i), position % kBlockPositions, value);
  }
  void SetValue(int64_t position, int64_t head, int64_t i, float value) {
    std::byte* block = Block(position);
    Set(block + kv_.values(head), block + kv_.value_scales(head),
        kv_.value_index(position % kBlockPositions, i), position % kBlockPositions, value);
  }
  void SetScales(int64_t position, int64_t head, float key, float value) {
    std::byte* block = Block(position);
    StoreKvElement(KvType::kBf16, block + kv_.key_scales(head), position % kBlockPositions, key);
    StoreKvElement(KvType::kBf16, block + kv_.value_scales(head), position % kBlockPositions,
                   value);
  }

  const std::byte* const* blocks() const { return pointers_.data(); }

 private:
  void Set(std::byte* half, const std::byte* scales, int64_t index, int64_t slot, float value) {
    if (kv_.type != KvType::kInt8) return StoreKvElement(kv_.type, half, index, value);
    bf16_t scale;
    std::memcpy(&scale, scales + 2 * slot, 2);
    const float code = std::round(value / Bf16ToFloat(scale));
    half[index] = static_cast<std::byte>(static_cast<int8_t>(std::clamp(code, -127.0f, 127.0f)));
  }
  std::byte* Block(int64_t position) {
    return storage_.data() + position / kBlockPositions * kv_.block_bytes();
  }

  KvLayout kv_;
  std::vector<std::byte> storage_;
  std::vector<const std::byte*> pointers_;
};

}  // namespace ringlet::testing
