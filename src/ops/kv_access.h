// Single elements of a KV block, for references and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ops/kv_block.h"
#include "tensor/dtype.h"

namespace ringlet {

inline float KvElement(KvType type, const std::byte* half, int64_t index) {
  if (type == KvType::kF32) {
    float value;
    std::memcpy(&value, half + 4 * index, 4);
    return value;
  }
  bf16_t value;
  std::memcpy(&value, half + 2 * index, 2);
  return Bf16ToFloat(value);
}

inline float KeyAt(const KvLayout& kv, const std::byte* block, int64_t head, int64_t slot,
                   int64_t i) {
  return KvElement(kv.type, block + kv.keys(head), i * kBlockPositions + slot);
}

inline float ValueAt(const KvLayout& kv, const std::byte* block, int64_t head, int64_t slot,
                     int64_t i) {
  return KvElement(kv.type, block + kv.values(head), slot * kv.head_dim + i);
}

}  // namespace ringlet
