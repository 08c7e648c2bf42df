// KvBlock: keys and values of 64 consecutive positions, the unit of KV pages and of lightning
// tails.
//
// For each kv head of a layer: keys transposed, [D][64], then values, [64][D]. Scores of 64
// positions and the D outputs both lie along vector lanes this way, with no horizontal sums.
// Elements are BF16 or fp32.
#pragma once

#include <cstdint>

namespace ringlet {

inline constexpr int64_t kBlockPositions = 64;

enum class KvType { kBf16, kF32 };

inline int64_t KvElementBytes(KvType type) { return type == KvType::kBf16 ? 2 : 4; }

struct KvLayout {
  KvType type = KvType::kBf16;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;

  int64_t half_bytes() const { return kBlockPositions * head_dim * KvElementBytes(type); }
  int64_t head_bytes() const { return 2 * half_bytes(); }
  int64_t block_bytes() const { return kv_heads * head_bytes(); }
  // Byte offsets in a block.
  int64_t keys(int64_t head) const { return head * head_bytes(); }
  int64_t values(int64_t head) const { return head * head_bytes() + half_bytes(); }
};

}  // namespace ringlet
