#include "model/packing.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "model/scale_grid.h"
#include "tensor/block_codes.h"

namespace ringlet {
namespace {

constexpr int kHalfGroup = 16;

// Extends `layout` so that it can also hold `format` exactly.
void Include(const BlockCodeFormat& format, bool first, QuantLayout* layout) {
  if (first) {
    *layout = {.bits = format.bits,
               .group = format.group,
               .zero_point = format.zero_point,
               .has_min = format.has_min,
               .scales = format.half_exact ? ScaleType::kF16 : ScaleType::kF32};
  }
  const bool same_bits = layout->bits == format.bits;
  if (!same_bits || layout->zero_point != format.zero_point) {
    // Codes meet as signed bytes, or as unsigned nibbles with the offset moved into the minimum.
    if (layout->zero_point != format.zero_point && same_bits && layout->bits == 4) {
      layout->has_min = true;
      layout->scales = ScaleType::kF32;
    }
    layout->bits = std::max(layout->bits, format.bits);
    layout->zero_point = 0;
  }
  layout->group = std::min(layout->group, format.group);
  layout->has_min = layout->has_min || format.has_min;
  if (!format.half_exact) layout->scales = ScaleType::kF32;
  // Groups of 16 with these scales exist for bytes only.
  if (layout->group == 16 && layout->bits == 4) {
    layout->bits = 8;
    layout->zero_point = 0;
  }
  // Rare forms have no kernels of their own.
  if (layout->bits == 8 && (layout->group == 16 || layout->has_min)) {
    layout->scales = ScaleType::kF32;
  }
}

bool IsInteger(const MatrixSegment& segment) {
  return PackedBits(segment.tensor->dtype) != 0 || CodeFormat(segment.tensor->dtype).has_value();
}

// Whether the kernels' groups divide the segment's.
bool HasKernelGroups(const MatrixSegment& segment) {
  if (PackedBits(segment.tensor->dtype) == 0) return true;
  const int64_t group = GroupSize(segment);
  return group == kHalfGroup || group % kQuantGroup == 0;
}

// Calls visit(scales) for each of the segment's rows of scales until it returns false.
template <typename Visit>
bool EveryScaleRow(const MatrixSegment& segment, const Visit& visit) {
  std::vector<float> scales(static_cast<size_t>(segment.scale->row_elements()));
  for (int64_t row = 0; row < segment.rows; ++row) {
    DecodeRow(*segment.scale, segment.row_begin + row, scales.data());
    if (!visit(std::span<const float>(scales))) return false;
  }
  return true;
}

bool HalfExact(std::span<const float> scales) {
  return std::ranges::all_of(scales, [](float s) { return F16ToFloat(FloatToF16(s)) == s; });
}

// half_exact is not decided for packed integers.
BlockCodeFormat FormatOf(const MatrixSegment& segment) {
  const DType type = segment.tensor->dtype;
  const int bits = PackedBits(type);
  if (bits == 0) return CodeFormat(type).value();
  const bool has_min = segment.zero_point != nullptr;
  return {.bits = bits,
          .group = GroupSize(segment) == kHalfGroup ? kHalfGroup : static_cast<int>(kQuantGroup),
          .zero_point = bits == 4 && !has_min ? 8 : 0,
          .has_min = has_min,
          .half_exact = false};
}

// FormatOf with half_exact, for which every scale is looked at.
BlockCodeFormat ExactFormatOf(const MatrixSegment& segment) {
  BlockCodeFormat format = FormatOf(segment);
  if (PackedBits(segment.tensor->dtype) == 0 || format.has_min) return format;
  format.half_exact = segment.scale->dtype == DType::kF16 || EveryScaleRow(segment, HalfExact);
  return format;
}

// Whether a matrix fits kInt4Layout without rounding; larger groups repeat their scales.
bool FitsInt4Layout(const MatrixRef& matrix) {
  return std::ranges::all_of(matrix.segments, [](const MatrixSegment& segment) {
    return segment.tensor->dtype == DType::kPackedI4 && segment.zero_point == nullptr &&
           EveryScaleRow(segment, [](auto scales) { return ExactGridUnit(scales) != 0; });
  });
}

// One row of a packed integer segment in the form of FormatOf.
void DecodePackedRow(const MatrixSegment& segment, int64_t row, int64_t cols,
                     const BlockCodeFormat& format, const QuantRow& out) {
  const StoredTensor& tensor = *segment.tensor;
  const uint64_t bytes = RowBytes(tensor.dtype, static_cast<uint64_t>(cols)).value();
  const std::byte* data = tensor.data.data() + static_cast<uint64_t>(row) * bytes;
  // Unsigned nibbles, signed bytes.
  for (int64_t i = 0; i < cols; ++i) {
    const int value = std::to_integer<int>(data[format.bits == 4 ? i / 2 : i]);
    out.codes[i] = static_cast<int8_t>(format.bits == 4 ? value >> (i % 2 * 4) & 15 : value - 128);
  }
  const int64_t stored = segment.scale->row_elements();
  std::vector<float> scales(static_cast<size_t>(stored));
  std::vector<int> zero_points(static_cast<size_t>(stored));
  DecodeGroups(segment, row, scales.data(), zero_points.data());
  const int64_t groups = cols / format.group;
  for (int64_t g = 0; g < groups; ++g) {
    const auto from = static_cast<size_t>(g * stored / groups);
    out.scales[g] = scales[from];
    if (!format.has_min) continue;
    const int zero = zero_points[from] + (format.bits == 4 ? 8 : 0);
    out.mins[g] = -(scales[from] * static_cast<float>(zero));
  }
}

// The scales of a row that fits kInt4Layout as multiples of its unit.
void DivideByUnit(int64_t groups, const QuantRow& out) {
  const float unit = ExactGridUnit({out.scales, static_cast<size_t>(groups)});
  *out.multiplier = unit;
  for (int64_t g = 0; g < groups; ++g) out.scales[g] /= unit;
}

// One row's codes in the layout of the whole matrix.
void QuantRowOf(const MatrixRef& matrix, const QuantLayout& layout,
                const std::vector<BlockCodeFormat>& formats, int64_t row, const QuantRow& out) {
  const MatrixRef::Place place = matrix.Locate(row);
  const StoredTensor& tensor = *place.segment->tensor;
  const auto& format = formats[static_cast<size_t>(place.segment - matrix.segments.data())];
  if (PackedBits(tensor.dtype) != 0) {
    DecodePackedRow(*place.segment, place.row, matrix.cols, format, out);
  } else {
    const uint64_t bytes = RowBytes(tensor.dtype, static_cast<uint64_t>(matrix.cols)).value();
    const std::byte* data = tensor.data.data() + static_cast<uint64_t>(place.row) * bytes;
    DecodeCodes(tensor.dtype, data, matrix.cols, out.codes, out.scales, out.mins);
  }
  const int64_t groups = matrix.cols / layout.group;
  if (format.group != layout.group) {  // 32 -> 16, backwards because it is in place
    for (int64_t g = groups - 1; g >= 0; --g) {
      out.scales[g] = out.scales[g / 2];
      out.mins[g] = out.mins[g / 2];
    }
  }
  if (layout.scales == ScaleType::kInt8) return DivideByUnit(groups, out);
  if (layout.has_min && !format.has_min) std::fill_n(out.mins, groups, 0.0f);
  if (format.zero_point == layout.zero_point) return;
  if (layout.bits == 8) {
    for (int64_t i = 0; i < matrix.cols; ++i) {
      out.codes[i] = static_cast<int8_t>(out.codes[i] - format.zero_point);
    }
  } else {
    for (int64_t g = 0; g < groups; ++g) {
      out.mins[g] -= out.scales[g] * static_cast<float>(format.zero_point);
    }
  }
}

// One row of block-scaled FP8 as it is stored: scales are copied, one for one.
static_assert(kFp8Block == kFp8ScaleBlock, "the columns of a scale, in the layout and in files");
void Fp8RowOf(const MatrixRef& matrix, int64_t row, const Fp8Row& out) {
  const MatrixRef::Place place = matrix.Locate(row);
  const std::byte* codes = place.segment->tensor->data.data() + place.row * matrix.cols;
  std::memcpy(out.codes, codes, static_cast<size_t>(matrix.cols));
  DecodeRow(*place.segment->scale_inv, place.row / kFp8ScaleBlock, out.scales);
}

bool AllOf(const MatrixRef& matrix, bool (*predicate)(DType)) {
  return std::all_of(matrix.segments.begin(), matrix.segments.end(),
                     [&](const MatrixSegment& s) { return predicate(s.tensor->dtype); });
}

}  // namespace

PackingPlan PlanPacking(const MatrixRef& matrix, ComputeType compute) {
  PackingPlan plan;
  if (compute == ComputeType::kF32) return plan;
  if (matrix.cols % kQuantGroup == 0 && std::ranges::all_of(matrix.segments, IsInteger) &&
      std::ranges::all_of(matrix.segments, HasKernelGroups)) {
    plan.format = PackedFormat::kQuant;
    if (FitsInt4Layout(matrix)) {
      plan.quant = kInt4Layout;
      return plan;
    }
    for (size_t i = 0; i < matrix.segments.size(); ++i) {
      Include(ExactFormatOf(matrix.segments[i]), i == 0, &plan.quant);
    }
    return plan;
  }
  if (AllOf(matrix, [](DType t) { return t == DType::kF8E4M3; })) {
    plan.format = PackedFormat::kFp8;
  } else if (AllOf(matrix, [](DType t) { return t == DType::kBF16 || t == DType::kF8E4M3; })) {
    plan.format = PackedFormat::kBf16;
  }
  return plan;
}

PackedMatrix PackWeights(Context& context, const MatrixRef& matrix, const PackingPlan& plan) {
  if (plan.format == PackedFormat::kQuant) {
    std::vector<BlockCodeFormat> formats;
    for (const MatrixSegment& segment : matrix.segments) formats.push_back(FormatOf(segment));
    return PackQuant(context, plan.quant, matrix.rows, matrix.cols,
                     [&](int64_t row, const QuantRow& out) {
                       QuantRowOf(matrix, plan.quant, formats, row, out);
                     });
  }
  if (plan.format == PackedFormat::kFp8) {
    return PackFp8(context, matrix.rows, matrix.cols,
                   [&](int64_t row, const Fp8Row& out) { Fp8RowOf(matrix, row, out); });
  }
  return PackFloat(context, plan.format, matrix.rows, matrix.cols,
                   [&](int64_t row, float* out) { matrix.DecodeRow(row, out); });
}

std::vector<float> DecodeVector(const StoredTensor* tensor) {
  if (tensor == nullptr) return {};
  std::vector<float> values(static_cast<size_t>(tensor->elements()));
  for (int64_t row = 0; row < tensor->rows(); ++row) {
    DecodeRow(*tensor, row, values.data() + row * tensor->row_elements());
  }
  return values;
}

}  // namespace ringlet
