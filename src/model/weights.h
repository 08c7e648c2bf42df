// ModelWeights: every tensor of a checkpoint bound to its role, still in its stored form. Separate
// q/k/v or gate/up tensors, expert slices of a 3-D tensor, permuted rows and block-scaled FP8 all
// become one thing: a matrix whose rows can be decoded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/status.h"
#include "model/config.h"
#include "tensor/tensor_source.h"

namespace ringlet {

// Rows and columns of an F8_E4M3 tensor that share a scale, in files.
inline constexpr int64_t kFp8ScaleBlock = 128;

// Consecutive rows of one stored tensor, appended to a MatrixRef.
struct MatrixSegment {
  const StoredTensor* tensor = nullptr;
  int64_t row_begin = 0;
  int64_t rows = 0;
  const StoredTensor* scale_inv = nullptr;  // F8_E4M3: an fp32 multiplier for each block
  // Packed integers: multipliers [rows, cols / group], and the codes that mean zero if they are not
  // all 0: packed as the codes are, but along the rows, [ceil(rows * bits / 32), cols / group].
  const StoredTensor* scale = nullptr;
  const StoredTensor* zero_point = nullptr;
  // GGUF "llama" stores the rows of each q and k head with rotary pairs interleaved (0, d/2, 1,
  // d/2+1, ...). Head dimension to undo that, or 0.
  int64_t interleaved_head_dim = 0;
};

// Bits of a packed integer type; 0 for other types.
int PackedBits(DType type);

// Columns that share a scale of a packed integer segment.
int64_t GroupSize(const MatrixSegment& segment);

// Scales of one row of a packed integer segment, and its zero points (0 when there are none): as
// many as scale->row_elements().
void DecodeGroups(const MatrixSegment& segment, int64_t row, float* scales, int* zero_points);

// A [rows, cols] matrix, cols innermost.
struct MatrixRef {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<MatrixSegment> segments;

  bool present() const { return rows > 0; }
  // The dtype of every segment, or nullopt when they differ.
  std::optional<DType> dtype() const;
  // Decodes row r to cols() floats (scales applied, interleaving undone).
  void DecodeRow(int64_t r, float* out) const;
  // Where row r is stored: its segment and the row of that segment's tensor.
  struct Place {
    const MatrixSegment* segment;
    int64_t row;
  };
  Place Locate(int64_t r) const;
};

struct AttentionWeights {
  MatrixRef qkv;   // [(H + 2*Hk) * D, hidden]: all q heads, all k heads, all v heads
  MatrixRef out;   // [hidden, H * D]
  MatrixRef gate;  // lightning: [H * D, hidden]
  const StoredTensor* q_norm = nullptr;  // [D] or absent
  const StoredTensor* k_norm = nullptr;
  const StoredTensor* group_norm = nullptr;  // lightning: [H * D]
};

struct MlpWeights {
  MatrixRef gate_up;  // [2 * ffn, hidden]: gate rows, then up rows
  MatrixRef down;     // [hidden, ffn]
};

struct MoeWeights {
  MatrixRef router;                           // [experts, hidden]
  const StoredTensor* expert_bias = nullptr;  // [experts] or absent
  std::vector<MlpWeights> experts;
  std::optional<MlpWeights> shared;
};

struct LayerWeights {
  const StoredTensor* input_norm = nullptr;  // [hidden]
  const StoredTensor* post_norm = nullptr;   // [hidden]
  AttentionWeights attention;
  std::optional<MlpWeights> dense;
  std::optional<MoeWeights> moe;
};

struct MtpWeights {
  const StoredTensor* embed_norm = nullptr;   // enorm, [hidden]
  const StoredTensor* hidden_norm = nullptr;  // hnorm, [hidden]
  const StoredTensor* final_norm = nullptr;   // [hidden]
  MatrixRef projection;                       // eh_proj, [hidden, 2 * hidden]: embedding half first
  LayerWeights layer;
};

struct ModelWeights {
  MatrixRef embedding;  // [vocab, hidden]
  MatrixRef head;       // [vocab, hidden]; the same segments when tied
  const StoredTensor* final_norm = nullptr;
  std::vector<LayerWeights> layers;
  std::vector<MtpWeights> mtp;
};

}  // namespace ringlet
