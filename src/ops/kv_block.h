// KvBlock: keys and values of 64 consecutive positions, the unit of KV pages and of lightning
// tails.
//
// For each kv head of a layer: keys, then values, so that the scores of 64 positions and the D
// outputs both lie along vector lanes, with no horizontal sums. Both are cut into strips of 16
// columns (of positions, of dimensions), a strip after the other, so that a kernel that multiplies
// one strip reads memory in order. R is D rounded up to 16; what lies beyond D is never part of a
// result.
//   kF32   keys [4][D][16], values [R/16][64][16]
//   kBf16  keys [4][ceil(D/2)][16][2], values [R/16][32][16][2]: neighbours of the summed dimension
//          share a 32-bit lane, as the dot-product instructions want them. With odd D the last key
//          row's second element is zero.
//   kInt8  key scales [64], keys as kBf16, value scales [64], values as kBf16. A scale is BF16, one
//          for each position, so that a row is quantized by itself: value = scale * code, codes
//          in [-127, 127]. A position whose key (value) has a NaN or an infinity has scale NaN.
#pragma once

#include <cstdint>

namespace ringlet {

inline constexpr int64_t kBlockPositions = 64;
inline constexpr int64_t kStripColumns = 16;

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
  int64_t padded_dim() const {  // R
    return (head_dim + kStripColumns - 1) / kStripColumns * kStripColumns;
  }

  // Terms of a score: D, in pairs if paired.
  int64_t key_terms() const { return paired() ? (head_dim + 1) / 2 * 2 : head_dim; }

  // Sizes in bytes.
  int64_t scale_bytes() const { return type == KvType::kInt8 ? kBlockPositions * 2 : 0; }
  int64_t key_bytes() const { return key_terms() * kBlockPositions * KvElementBytes(type); }
  int64_t value_bytes() const { return kBlockPositions * padded_dim() * KvElementBytes(type); }
  int64_t head_bytes() const { return 2 * scale_bytes() + key_bytes() + value_bytes(); }
  int64_t block_bytes() const { return kv_heads * head_bytes(); }

  // Byte offsets in a block.
  int64_t key_scales(int64_t head) const { return head * head_bytes(); }
  int64_t keys(int64_t head) const { return key_scales(head) + scale_bytes(); }
  int64_t value_scales(int64_t head) const { return keys(head) + key_bytes(); }
  int64_t values(int64_t head) const { return value_scales(head) + scale_bytes(); }

  // Element indices of dimension i of position `slot` in a head's keys and values.
  int64_t key_index(int64_t slot, int64_t i) const { return StripIndex(key_terms(), i, slot); }
  int64_t value_index(int64_t slot, int64_t i) const {
    return StripIndex(kBlockPositions, slot, i);
  }

 private:
  // Term `term` of `terms` in column `column`.
  int64_t StripIndex(int64_t terms, int64_t term, int64_t column) const {
    const int64_t strip = column / kStripColumns * terms * kStripColumns;
    const int64_t lane = column % kStripColumns;
    return paired() ? strip + term / 2 * (2 * kStripColumns) + lane * 2 + term % 2
                    : strip + term * kStripColumns + lane;
  }
};

}  // namespace ringlet
