#include "bench/work.h"

#include <fmt/format.h>

namespace ringlet {

std::string FormatName(const MatrixShape& shape) {
  switch (shape.format) {
    case PackedFormat::kF32:
      return "f32";
    case PackedFormat::kBf16:
      return "bf16";
    case PackedFormat::kFp8:
      return "fp8";
    case PackedFormat::kQuant:
      break;
  }
  return fmt::format("int{}", shape.quant.bits);
}

std::string Rows(int64_t rows) { return rows == 1 ? "1 row" : fmt::format("{} rows", rows); }

void AddMatrixOps(const MatrixShape& shape, double rows, OpWork* work) {
  const double ops = 2.0 * rows * static_cast<double>(shape.n) * static_cast<double>(shape.k);
  switch (shape.format) {
    case PackedFormat::kF32:
      work->fp32_ops += ops;
      break;
    case PackedFormat::kBf16:
    case PackedFormat::kFp8:
      work->bf16_ops += ops;
      break;
    case PackedFormat::kQuant:
      work->int8_ops += ops;
      break;
  }
}

void AddAttentionOps(KvType type, double ops, OpWork* work) {
  if (type == KvType::kInt8) {
    work->int8_ops += 2.0 * ops;
  } else {
    work->fp32_ops += ops;
  }
}

}  // namespace ringlet
