#include "model/weights.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace ringlet {
namespace {

// The stored row, within its segment, that holds row `row` of the published order.
int64_t StoredRow(int64_t row, int64_t head_dim) {
  if (head_dim == 0) return row;
  const int64_t in_head = row % head_dim;
  const int64_t half = head_dim / 2;
  return row - in_head + 2 * (in_head % half) + in_head / half;
}

// Multiplies each run of columns by the scale of its block.
void ApplyScales(const StoredTensor& scales, int64_t row, int64_t cols, float* out) {
  const int64_t per_row = scales.row_elements();
  const auto bytes = static_cast<int64_t>(RowBytes(scales.dtype, 1).value());
  const std::byte* first = scales.data.data() + row / kFp8ScaleBlock * per_row * bytes;
  for (int64_t block = 0; block < per_row; ++block) {
    float scale = 0;
    DecodeValues(scales.dtype, first + block * bytes, 1, &scale);
    const int64_t end = std::min(cols, (block + 1) * kFp8ScaleBlock);
    for (int64_t col = block * kFp8ScaleBlock; col < end; ++col) out[col] *= scale;
  }
}

// The word of `words` at `index`.
uint32_t WordAt(const StoredTensor& words, int64_t index) {
  uint32_t word = 0;
  std::memcpy(&word, words.data.data() + index * 4, sizeof(word));
  return word;
}

// codes -> scale * (code - zero point), group by group.
void ApplyGroups(const MatrixSegment& segment, int64_t row, int64_t cols, float* out) {
  const int64_t groups = segment.scale->row_elements();
  std::vector<float> scales(static_cast<size_t>(groups));
  std::vector<int> zero_points(static_cast<size_t>(groups));
  DecodeGroups(segment, row, scales.data(), zero_points.data());
  const int64_t size = cols / groups;
  for (int64_t col = 0; col < cols; ++col) {
    const auto group = static_cast<size_t>(col / size);
    out[col] = scales[group] * (out[col] - static_cast<float>(zero_points[group]));
  }
}

}  // namespace

int PackedBits(DType type) {
  if (type == DType::kPackedI4) return 4;
  return type == DType::kPackedI8 ? 8 : 0;
}

int64_t GroupSize(const MatrixSegment& segment) {
  return segment.tensor->row_elements() / segment.scale->row_elements();
}

void DecodeGroups(const MatrixSegment& segment, int64_t row, float* scales, int* zero_points) {
  DecodeRow(*segment.scale, row, scales);
  const int64_t groups = segment.scale->row_elements();
  std::fill_n(zero_points, groups, 0);
  if (segment.zero_point == nullptr) return;
  const int bits = PackedBits(segment.tensor->dtype);
  const int64_t per_word = 32 / bits;
  const int shift = static_cast<int>(row % per_word) * bits;
  for (int64_t g = 0; g < groups; ++g) {
    const uint32_t word = WordAt(*segment.zero_point, row / per_word * groups + g);
    zero_points[g] = static_cast<int>(word >> shift & ((1u << bits) - 1)) - (1 << (bits - 1));
  }
}

std::optional<DType> MatrixRef::dtype() const {
  if (segments.empty()) return std::nullopt;
  const DType first = segments.front().tensor->dtype;
  for (const MatrixSegment& segment : segments) {
    if (segment.tensor->dtype != first) return std::nullopt;
  }
  return first;
}

MatrixRef::Place MatrixRef::Locate(int64_t r) const {
  RINGLET_CHECK(r >= 0 && r < rows, "row out of range");
  for (const MatrixSegment& segment : segments) {
    if (r < segment.rows) {
      return {&segment, segment.row_begin + StoredRow(r, segment.interleaved_head_dim)};
    }
    r -= segment.rows;
  }
  RINGLET_UNREACHABLE("segments hold fewer rows than the matrix");
}

void MatrixRef::DecodeRow(int64_t r, float* out) const {
  const Place place = Locate(r);
  ringlet::DecodeRow(*place.segment->tensor, place.row, out);
  const StoredTensor* scales = place.segment->scale_inv;
  if (scales != nullptr) ApplyScales(*scales, place.row, cols, out);
  if (place.segment->scale != nullptr) ApplyGroups(*place.segment, place.row, cols, out);
}

}  // namespace ringlet
