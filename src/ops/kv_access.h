// Single elements of a KV block, for references and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ops/kv_block.h"
#include "tensor/dtype.h"

namespace ringlet {

// Element `index` of keys or values that begin at `half`; `scales` are those of the positions.
inline float KvElement(KvType type, const std::byte* half, const std::byte* scales, int64_t index,
                       int64_t slot) {
  if (type == KvType::kF32) {
    float value;
    std::memcpy(&value, half + 4 * index, 4);
    return value;
  }
  bf16_t value;
  if (type == KvType::kBf16) {
    std::memcpy(&value, half + 2 * index, 2);
    return Bf16ToFloat(value);
  }
  std::memcpy(&value, scales + 2 * slot, 2);
  return Bf16ToFloat(value) * static_cast<float>(static_cast<int8_t>(half[index]));
}

inline float KeyAt(const KvLayout& kv, const std::byte* block, int64_t head, int64_t slot,
                   int64_t i) {
  return KvElement(kv.type, block + kv.keys(head), block + kv.key_scales(head),
                   kv.key_index(slot, i), slot);
}

inline float ValueAt(const KvLayout& kv, const std::byte* block, int64_t head, int64_t slot,
                     int64_t i) {
  return KvElement(kv.type, block + kv.values(head), block + kv.value_scales(head),
                   kv.value_index(slot, i), slot);
}

}  // namespace ringlet
