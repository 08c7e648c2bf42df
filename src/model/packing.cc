#include "model/packing.h"

#include <algorithm>

#include "tensor/block_codes.h"

namespace ringlet {
namespace {

// Extends `layout` so that it can also hold `format` exactly.
void Include(const BlockCodeFormat& format, bool first, QuantLayout* layout) {
  if (first) {
    *layout = {.bits = format.bits,
               .group = format.group,
               .zero_point = format.zero_point,
               .has_min = format.has_min,
               .scales = format.half_exact ? ScaleType::kF16 : ScaleType::kF32};
    return;
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
  // Sixteen-wide groups exist for bytes only.
  if (layout->group == 16 && layout->bits == 4) {
    layout->bits = 8;
    layout->zero_point = 0;
  }
}

// One row's codes in the layout of the whole matrix.
void QuantRowOf(const MatrixRef& matrix, const QuantLayout& layout, int64_t row,
                const QuantRow& out) {
  const MatrixRef::Place place = matrix.Locate(row);
  const StoredTensor& tensor = *place.segment->tensor;
  const BlockCodeFormat format = CodeFormat(tensor.dtype).value();
  const uint64_t bytes = RowBytes(tensor.dtype, static_cast<uint64_t>(matrix.cols)).value();
  const std::byte* data = tensor.data.data() + static_cast<uint64_t>(place.row) * bytes;
  DecodeCodes(tensor.dtype, data, matrix.cols, out.codes, out.scales, out.mins);

  if (format.group != layout.group) {  // 32 -> 16, backwards because it is in place
    for (int64_t g = matrix.cols / layout.group - 1; g >= 0; --g) {
      out.scales[g] = out.scales[g / 2];
      out.mins[g] = out.mins[g / 2];
    }
  }
  const int64_t groups = matrix.cols / layout.group;
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

bool AllOf(const MatrixRef& matrix, bool (*predicate)(DType)) {
  return std::all_of(matrix.segments.begin(), matrix.segments.end(),
                     [&](const MatrixSegment& s) { return predicate(s.tensor->dtype); });
}

}  // namespace

PackingPlan PlanPacking(const MatrixRef& matrix, ComputeType compute) {
  PackingPlan plan;
  if (compute == ComputeType::kF32) return plan;
  if (AllOf(matrix, [](DType t) { return CodeFormat(t).has_value(); })) {
    plan.format = PackedFormat::kQuant;
    for (size_t i = 0; i < matrix.segments.size(); ++i) {
      Include(CodeFormat(matrix.segments[i].tensor->dtype).value(), i == 0, &plan.quant);
    }
    return plan;
  }
  const auto exact_in_bf16 = [](DType t) { return t == DType::kBF16 || t == DType::kF8E4M3; };
  if (AllOf(matrix, exact_in_bf16)) plan.format = PackedFormat::kBf16;
  return plan;
}

PackedMatrix PackWeights(Context& context, const MatrixRef& matrix, const PackingPlan& plan) {
  if (plan.format == PackedFormat::kQuant) {
    return PackQuant(
        context, plan.quant, matrix.rows, matrix.cols,
        [&](int64_t row, const QuantRow& out) { QuantRowOf(matrix, plan.quant, row, out); });
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
