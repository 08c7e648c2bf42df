#include "model/quantize_tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "model/quantize_row.h"
#include "tensor/dtype.h"

namespace ringlet {
namespace {

// Bounds the memory of a block: values of the source, and in fp32.
constexpr int64_t kBlockValues = int64_t{4} << 20;
constexpr float kFp8Top = 448.0f;
// Scales below would be subnormal.
constexpr float kLeastFp8Scale = 0x1p-120f;

struct RowError {
  double error = 0;
  double norm = 0;
  bool finite = true;
};

void AddError(float before, float after, RowError& row) {
  const double difference = static_cast<double>(after) - before;
  row.error += difference * difference;
  row.norm += static_cast<double>(before) * before;
}

// Partial sums that become vector code; a group is short enough for fp32.
void AddGroupError(const float* values, const int8_t* codes, int64_t group, float scale,
                   RowError& row) {
  std::array<float, 8> error{};
  std::array<float, 8> norm{};
  for (int64_t i = 0; i < group; i += 8) {
    for (size_t j = 0; j < 8; ++j) {
      const float value = values[static_cast<size_t>(i) + j];
      const float difference =
          scale * static_cast<float>(codes[static_cast<size_t>(i) + j]) - value;
      error[j] += difference * difference;
      norm[j] += value * value;
    }
  }
  for (size_t j = 0; j < 8; ++j) {
    row.error += error[j];
    row.norm += norm[j];
  }
}

class TensorWriter {
 public:
  TensorWriter(const TensorPlan& plan, const TensorSource& source, Context& context,
               SafetensorsWriter& writer, const std::function<bool(uint64_t)>& advance)
      : plan_(plan), source_(source), context_(context), writer_(writer), advance_(advance) {}

  Result<TensorReport> Run() {
    const StoredTensor& tensor = plan_.tensor();
    report_.name = tensor.name;
    report_.source = Name(tensor.dtype);
    report_.type = plan_.copied() ? Name(tensor.dtype) : ringlet::Name(plan_.type);
    report_.elements = tensor.elements();
    report_.bytes = plan_.Bytes();
    RINGLET_RETURN_IF_ERROR(plan_.copied() ? Copy() : Convert());
    return std::move(report_);
  }

 private:
  int64_t rows() const { return plan_.matrix.rows; }
  int64_t cols() const { return plan_.matrix.cols; }

  Status Copy() {
    const std::span<const std::byte> data = plan_.tensor().data;
    constexpr size_t kPiece = size_t{16} << 20;
    for (size_t at = 0; at < data.size(); at += kPiece) {
      const auto piece = data.subspan(at, std::min(kPiece, data.size() - at));
      source_.Advise(piece, Access::kSoon);
      RINGLET_RETURN_IF_ERROR(writer_.Append(piece));
      RINGLET_RETURN_IF_ERROR(Done(piece));
    }
    return Status::Ok();
  }

  Status Convert() {
    block_rows_ = std::clamp<int64_t>(kBlockValues / std::max<int64_t>(1, cols()), 1, rows());
    // Whole blocks of FP8 and, so that pages are released, many rows.
    block_rows_ = (block_rows_ + kFp8ScaleBlock - 1) / kFp8ScaleBlock * kFp8ScaleBlock;
    if (IsPackedInteger(plan_.type)) scales_.resize(Size(rows() * (cols() / plan_.group)));
    source_.Advise(RowsOf(0), Access::kSoon);
    for (int64_t first = 0; first < rows(); first += block_rows_) {
      if (first + block_rows_ < rows()) source_.Advise(RowsOf(first + block_rows_), Access::kSoon);
      const int64_t count = std::min(block_rows_, rows() - first);
      errors_.assign(Size(count), RowError());
      ConvertBlock(first, count);
      RINGLET_RETURN_IF_ERROR(Collect(first));
      RINGLET_RETURN_IF_ERROR(writer_.Append(out_));
      RINGLET_RETURN_IF_ERROR(Done(RowsOf(first)));
    }
    if (!scales_.empty()) return writer_.Append(std::as_bytes(std::span(scales_)));
    return writer_.Append(std::as_bytes(std::span(block_scales_)));
  }

  static size_t Size(int64_t n) { return static_cast<size_t>(n); }

  std::span<const std::byte> RowsOf(int64_t first) const {
    const std::span<const std::byte> data = plan_.tensor().data;
    const size_t row = data.size() / Size(rows());
    const int64_t count = std::min(block_rows_, rows() - first);
    return data.subspan(Size(first) * row, Size(count) * row);
  }

  void ConvertBlock(int64_t first, int64_t count) {
    switch (plan_.type) {
      case WeightType::kInt4:
      case WeightType::kInt8:
        out_.resize(Size(count * cols()) * (plan_.type == WeightType::kInt4 ? 4 : 8) / 8);
        return context_.pool.ParallelFor(
            count, [&](int64_t row, int thread) { PackRow(first, row, thread); });
      case WeightType::kBf16:
        out_.resize(Size(count * cols()) * sizeof(bf16_t));
        return context_.pool.ParallelFor(
            count, [&](int64_t row, int thread) { RoundRow(first, row, thread); });
      case WeightType::kFp8:
        out_.resize(Size(count * cols()));
        return Fp8Block(first, count);
      case WeightType::kSource:
        return;
    }
  }

  // The row in fp32; false, and noted, when a value is not finite.
  bool Decode(int64_t first, int64_t row, float* values) {
    plan_.matrix.DecodeRow(first + row, values);
    // All exponent bits set; an OR of all values, so that the loop has no exit.
    constexpr uint32_t kExponent = 0x7f800000;
    uint32_t bad = 0;
    for (int64_t i = 0; i < cols(); ++i) {
      bad |= static_cast<uint32_t>((std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent);
    }
    errors_[Size(row)].finite = bad == 0;
    return bad == 0;
  }

  void PackRow(int64_t first, int64_t row, int thread) {
    const int bits = plan_.type == WeightType::kInt4 ? 4 : 8;
    const int64_t groups = cols() / plan_.group;
    float* values = context_.ThreadScratch(thread, Size(cols() + (cols() + 3) / 4));
    if (!Decode(first, row, values)) return;
    auto* codes = reinterpret_cast<int8_t*>(values + cols());
    bf16_t* scales = scales_.data() + (first + row) * groups;
    const std::span<const float> x(values, Size(cols()));
    if (bits == 4) {
      QuantizeInt4Row(context_.isa, x,
                      plan_.importance == nullptr ? std::span<const float>() : *plan_.importance,
                      plan_.group, codes, scales);
    } else {
      QuantizeInt8Row(x, plan_.group, codes, scales);
    }
    RowError& error = errors_[Size(row)];
    for (int64_t g = 0; g < groups; ++g) {
      AddGroupError(values + g * plan_.group, codes + g * plan_.group, plan_.group,
                    Bf16ToFloat(scales[g]), error);
    }
    // Codes with half their range added, the first in the lowest bits of a little-endian word.
    std::byte* out = out_.data() + row * cols() * bits / 8;
    if (bits == 8) {
      for (int64_t i = 0; i < cols(); ++i) out[i] = static_cast<std::byte>(codes[i] + 128);
      return;
    }
    for (int64_t i = 0; i < cols(); i += 2) {
      out[i / 2] = static_cast<std::byte>((codes[i] + 8) | (codes[i + 1] + 8) << 4);
    }
  }

  void RoundRow(int64_t first, int64_t row, int thread) {
    float* values = context_.ThreadScratch(thread, Size(cols()));
    plan_.matrix.DecodeRow(first + row, values);
    std::byte* out = out_.data() + Size(row * cols()) * sizeof(bf16_t);
    for (int64_t i = 0; i < cols(); ++i) {
      const bf16_t rounded = FloatToBf16(values[i]);
      std::memcpy(out + i * 2, &rounded, sizeof(rounded));
      AddError(values[i], Bf16ToFloat(rounded), errors_[Size(row)]);
    }
  }

  void Fp8Block(int64_t first, int64_t count) {
    const int64_t row_blocks = (count + kFp8ScaleBlock - 1) / kFp8ScaleBlock;
    const int64_t col_blocks = (cols() + kFp8ScaleBlock - 1) / kFp8ScaleBlock;
    const size_t scales_before = block_scales_.size();
    block_scales_.resize(scales_before + Size(row_blocks * col_blocks));
    context_.pool.ParallelFor(row_blocks, [&](int64_t block, int thread) {
      const int64_t begin = block * kFp8ScaleBlock;
      const int64_t end = std::min(count, begin + kFp8ScaleBlock);
      float* values = context_.ThreadScratch(thread, Size((end - begin) * cols()));
      for (int64_t row = begin; row < end; ++row) {
        if (!Decode(first, row, values + (row - begin) * cols())) return;
      }
      for (int64_t c = 0; c < col_blocks; ++c) {
        block_scales_[scales_before + Size(block * col_blocks + c)] =
            EncodeFp8(begin, end, c, values);
      }
    });
  }

  // Rows [begin, end) of the block, whose values are given, and one block of columns.
  float EncodeFp8(int64_t begin, int64_t end, int64_t col_block, const float* values) {
    const int64_t col_begin = col_block * kFp8ScaleBlock;
    const int64_t col_end = std::min(cols(), col_begin + kFp8ScaleBlock);
    float largest = 0;
    for (int64_t row = 0; row < end - begin; ++row) {
      for (int64_t col = col_begin; col < col_end; ++col) {
        largest = std::max(largest, std::fabs(values[row * cols() + col]));
      }
    }
    const float scale = std::max(largest / kFp8Top, kLeastFp8Scale);
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t col = col_begin; col < col_end; ++col) {
        const float value = values[(row - begin) * cols() + col];
        const uint8_t code = FloatToF8E4M3(value / scale);
        out_[Size(row * cols() + col)] = static_cast<std::byte>(code);
        AddError(value, F8E4M3ToFloat(code) * scale, errors_[Size(row)]);
      }
    }
    return scale;
  }

  // Adds the rows' errors up in their order.
  Status Collect(int64_t first) {
    for (size_t row = 0; row < errors_.size(); ++row) {
      if (!errors_[row].finite) {
        return BadInput(source_.path(), plan_.tensor().name,
                        fmt::format("a value that is not finite in row {}", Size(first) + row),
                        "finite weights");
      }
      report_.squared_error += errors_[row].error;
      report_.squared_norm += errors_[row].norm;
    }
    return Status::Ok();
  }

  Status Done(std::span<const std::byte> bytes) const {
    source_.Advise(bytes, Access::kDone);
    if (advance_(bytes.size())) return Status::Ok();
    return Status(StatusCode::kCancelled, "quantizing was stopped");
  }

  const TensorPlan& plan_;
  const TensorSource& source_;
  Context& context_;
  SafetensorsWriter& writer_;
  const std::function<bool(uint64_t)>& advance_;
  TensorReport report_;
  int64_t block_rows_ = 1;
  std::vector<RowError> errors_;     // of the block's rows
  std::vector<std::byte> out_;       // codes of the block
  std::vector<bf16_t> scales_;       // packed integers: of the whole tensor
  std::vector<float> block_scales_;  // FP8: likewise
};

}  // namespace

Result<TensorReport> WriteTensor(const TensorPlan& plan, const TensorSource& source,
                                 Context& context, SafetensorsWriter& writer,
                                 const std::function<bool(uint64_t bytes)>& advance) {
  return TensorWriter(plan, source, context, writer, advance).Run();
}

Status WriteShape(const TensorPlan& plan, SafetensorsWriter& writer) {
  const int64_t shape[] = {plan.matrix.rows, plan.matrix.cols};
  return writer.Append(std::as_bytes(std::span(shape)));
}

}  // namespace ringlet
