#include "model/weights.h"

#include <algorithm>

#include "base/check.h"

namespace ringlet {
namespace {

constexpr int64_t kScaleBlock = 128;

// The stored row, within its segment, that holds row `row` of the published order.
int64_t StoredRow(int64_t row, int64_t head_dim) {
  if (head_dim == 0) return row;
  const int64_t in_head = row % head_dim;
  const int64_t half = head_dim / 2;
  return row - in_head + 2 * (in_head % half) + in_head / half;
}

// Multiplies each run of 128 columns by the scale of its block.
void ApplyScales(const StoredTensor& scales, int64_t row, int64_t cols, float* out) {
  const int64_t per_row = scales.row_elements();
  const auto bytes = static_cast<int64_t>(RowBytes(scales.dtype, 1).value());
  const std::byte* first = scales.data.data() + row / kScaleBlock * per_row * bytes;
  for (int64_t block = 0; block < per_row; ++block) {
    float scale = 0;
    DecodeValues(scales.dtype, first + block * bytes, 1, &scale);
    const int64_t end = std::min(cols, (block + 1) * kScaleBlock);
    for (int64_t col = block * kScaleBlock; col < end; ++col) out[col] *= scale;
  }
}

}  // namespace

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
  RINGLET_CHECK(false, "segments hold fewer rows than the matrix");
}

void MatrixRef::DecodeRow(int64_t r, float* out) const {
  const Place place = Locate(r);
  ringlet::DecodeRow(*place.segment->tensor, place.row, out);
  const StoredTensor* scales = place.segment->scale_inv;
  if (scales != nullptr) ApplyScales(*scales, place.row, cols, out);
}

}  // namespace ringlet
