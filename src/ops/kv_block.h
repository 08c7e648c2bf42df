// KvBlock: keys and values of 64 consecutive positions, the unit of KV pages and of lightning
// tails.
//
// For each kv head of a layer: keys transposed, then values, so that the scores of 64 positions and
// the D outputs both lie along vector lanes, with no horizontal sums. R is D rounded up to 16; what
// lies beyond D is never part of a result.
//   kF32   keys [D][64], values [64][R]
//   kBf16  keys [ceil(D/2)][64][2], values [32][R][2]: neighbours of the summed dimension share a
//          32-bit lane, as the dot-product instructions want them. With odd D the last key row's
//          second element is zero.
//   kInt8  key scales [64], keys as kBf16, value scales [64], values as kBf16. A scale is BF16, one
//          for each position, so that a row is quantized by itself: value = scale * code, codes
//          in [-127, 127]. A position whose key (value) has a NaN or an infinity has scale NaN.
#pragma once

#include <cstdint>

namespace ringlet {

inline constexpr int64_t kBlockPositions = 64;

enum class KvType { kBf16, kF32, kInt8 };

inline int64_t KvElementBytes(KvType type) {
  return type == KvType::kF32 ? 4 : type == KvType::kBf16 ? 2 : 1;
}

inline const char* KvTypeName(KvType type) {
  return type == KvType::kF32 ? "f32" : type == KvType::kBf16 ? "bf16" : "int8";
}

struct KvLayout {
  KvType type = KvType::kBf16;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;

  bool paired() const { return type != KvType::kF32; }
  int64_t padded_dim() const { return (head_dim + 15) / 16 * 16; }  // R

  // Sizes in bytes.
  int64_t scale_bytes() const { return type == KvType::kInt8 ? kBlockPositions * 2 : 0; }
  int64_t key_bytes() const {
    const int64_t rows = paired() ? (head_dim + 1) / 2 * 2 : head_dim;
    return rows * kBlockPositions * KvElementBytes(type);
  }
  int64_t value_bytes() const { return kBlockPositions * padded_dim() * KvElementBytes(type); }
  int64_t head_bytes() const { return 2 * scale_bytes() + key_bytes() + value_bytes(); }
  int64_t block_bytes() const { return kv_heads * head_bytes(); }

  // Byte offsets in a block.
  int64_t key_scales(int64_t head) const { return head * head_bytes(); }
  int64_t keys(int64_t head) const { return key_scales(head) + scale_bytes(); }
  int64_t value_scales(int64_t head) const { return keys(head) + key_bytes(); }
  int64_t values(int64_t head) const { return value_scales(head) + scale_bytes(); }

  // Element indices of dimension i of position `slot` in a head's keys and values.
  int64_t key_index(int64_t slot, int64_t i) const {
    return paired() ? i / 2 * (2 * kBlockPositions) + slot * 2 + i % 2 : i * kBlockPositions + slot;
  }
  int64_t value_index(int64_t slot, int64_t i) const {
    return paired() ? slot / 2 * (2 * padded_dim()) + i * 2 + slot % 2 : slot * padded_dim() + i;
  }
};

}  // namespace ringlet
