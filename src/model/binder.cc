#include "model/binder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/checked.h"

namespace ringlet {
namespace {

constexpr size_t kMaxListed = 3;  // unused tensors named in a message

bool IsPlainFloat(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

bool IsMatrixType(DType type) {
  return IsPlainFloat(type) || type == DType::kF8E4M3 || Traits(type).block_elements > 1;
}

std::string Shape(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

// What DecodeRow relies on: whole rows, and as many bytes as the shape says.
bool HasAllBytes(const StoredTensor& tensor) {
  const auto row = RowBytes(tensor.dtype, static_cast<uint64_t>(tensor.row_elements()));
  if (!row) return false;
  const auto total = CheckedMul(*row, static_cast<uint64_t>(tensor.rows()));
  return total && *total == tensor.data.size();
}

}  // namespace

void TensorBinder::Fail(Status status) {
  if (ok()) status_ = std::move(status);
}

const StoredTensor* TensorBinder::Peek(std::string_view name) const {
  return planning() ? nullptr : source_->Find(name);
}

const StoredTensor* TensorBinder::Find(const std::string& name, const std::vector<int64_t>& shape) {
  if (!ok()) return nullptr;
  if (planning()) {
    plan_.push_back(
        {.name = name, .dtype = DType::kF32, .shape = shape, .data = {}, .keep_alive = {}});
    return &plan_.back();
  }
  const StoredTensor* tensor = source_->Find(name);
  if (tensor == nullptr) {
    Fail(BadInput(source_->path(), name, "no such tensor",
                  fmt::format("a tensor of shape {}", Shape(shape))));
    return nullptr;
  }
  if (tensor->shape != shape) {
    Fail(BadInput(source_->path(), name, fmt::format("shape {}", Shape(tensor->shape)),
                  fmt::format("shape {}", Shape(shape))));
    return nullptr;
  }
  if (!HasAllBytes(*tensor)) {
    Fail(BadInput(source_->path(), name, fmt::format("{} bytes", tensor->data.size()),
                  fmt::format("whole rows of {} for shape {}", Name(tensor->dtype), Shape(shape))));
    return nullptr;
  }
  used_.insert(tensor);
  return tensor;
}

const StoredTensor* TensorBinder::Vector(const std::string& name, int64_t size) {
  const StoredTensor* tensor = Find(name, {size});
  if (tensor != nullptr) CheckPlainFloat(*tensor);
  return ok() ? tensor : nullptr;
}

void TensorBinder::CheckPlainFloat(const StoredTensor& tensor) {
  if (IsPlainFloat(tensor.dtype)) return;
  Fail(BadInput(source_->path(), tensor.name, fmt::format("dtype {}", Name(tensor.dtype)),
                "F32, F16 or BF16"));
}

void TensorBinder::CheckMatrixType(const StoredTensor& tensor) {
  if (IsMatrixType(tensor.dtype)) return;
  Fail(BadInput(source_->path(), tensor.name, fmt::format("dtype {}", Name(tensor.dtype)),
                "F32, F16, BF16, F8_E4M3, packed integers or a GGUF block type"));
}

const StoredTensor* TensorBinder::FindGroups(const std::string& name, int64_t rows) {
  const StoredTensor* found = Peek(name);
  const int64_t groups = found == nullptr ? 1 : found->row_elements();
  return Find(name, {rows, groups});
}

void TensorBinder::BindScales(MatrixSegment& segment) {
  if (planning()) return;
  const StoredTensor& tensor = *segment.tensor;
  const auto blocks = [](int64_t size) { return (size + kFp8ScaleBlock - 1) / kFp8ScaleBlock; };
  const std::string inverse = tensor.name + "_scale_inv";
  if (tensor.dtype == DType::kF8E4M3) {
    segment.scale_inv = Find(inverse, {blocks(tensor.shape[0]), blocks(tensor.shape[1])});
    if (segment.scale_inv != nullptr) CheckPlainFloat(*segment.scale_inv);
  } else if (source_->Find(inverse) != nullptr) {
    Fail(BadInput(source_->path(), inverse,
                  fmt::format("scales for a tensor of dtype {}", Name(tensor.dtype)),
                  "scales only beside F8_E4M3 tensors"));
  }
  const int64_t bits = PackedBits(tensor.dtype);
  if (bits == 0) return;
  segment.scale = FindGroups(tensor.name + "_scale", tensor.shape[0]);
  if (segment.scale == nullptr) return;
  CheckPlainFloat(*segment.scale);
  const int64_t groups = segment.scale->row_elements();
  if (groups == 0 || tensor.shape[1] % groups != 0) {
    Fail(BadInput(source_->path(), segment.scale->name, fmt::format("{} scales a row", groups),
                  fmt::format("a divisor of the {} columns", tensor.shape[1])));
  }
  const std::string zero_point = tensor.name + "_zero_point";
  if (!ok() || Peek(zero_point) == nullptr) return;
  segment.zero_point = FindGroups(zero_point, (tensor.shape[0] * bits + 31) / 32);
  if (segment.zero_point == nullptr) return;
  if (segment.zero_point->dtype != DType::kI32 || segment.zero_point->row_elements() != groups) {
    Fail(BadInput(
        source_->path(), zero_point,
        fmt::format("{} {}", Name(segment.zero_point->dtype), Shape(segment.zero_point->shape)),
        fmt::format("I32 with {} columns, as the scales have", groups)));
  }
}

MatrixRef TensorBinder::Matrix(const std::string& name, int64_t rows, int64_t cols) {
  return InterleavedMatrix(name, rows, cols, 0);
}

MatrixRef TensorBinder::InterleavedMatrix(const std::string& name, int64_t rows, int64_t cols,
                                          int64_t head_dim) {
  RINGLET_CHECK(head_dim == 0 || (head_dim % 2 == 0 && rows % head_dim == 0),
                "interleaved rows come in whole heads of even size");
  const StoredTensor* tensor = Find(name, {rows, cols});
  if (tensor == nullptr) return {};
  CheckMatrixType(*tensor);
  if (!ok()) return {};
  MatrixSegment segment = {
      .tensor = tensor, .row_begin = 0, .rows = rows, .interleaved_head_dim = head_dim};
  BindScales(segment);
  if (!ok()) return {};
  return {.rows = rows, .cols = cols, .segments = {segment}};
}

MatrixRef TensorBinder::Slice(const std::string& name, int64_t count, int64_t index, int64_t rows,
                              int64_t cols) {
  RINGLET_CHECK(!planning(), "a plan would list a sliced tensor once per slice");
  const StoredTensor* tensor = Find(name, {count, rows, cols});
  if (tensor == nullptr) return {};
  CheckMatrixType(*tensor);
  if (tensor->dtype == DType::kF8E4M3 || PackedBits(tensor->dtype) != 0) {
    Fail(BadInput(source_->path(), name,
                  fmt::format("a 3-dimensional {} tensor", Name(tensor->dtype)),
                  "scaled types only in matrices"));
  }
  if (!ok()) return {};
  return {.rows = rows,
          .cols = cols,
          .segments = {{.tensor = tensor, .row_begin = index * rows, .rows = rows}}};
}

MatrixRef TensorBinder::Stack(std::initializer_list<MatrixRef> parts) {
  MatrixRef out;
  for (const MatrixRef& part : parts) {
    if (!part.present()) return {};
    RINGLET_CHECK(out.cols == 0 || out.cols == part.cols, "stacked parts differ in width");
    out.cols = part.cols;
    out.rows += part.rows;
    out.segments.insert(out.segments.end(), part.segments.begin(), part.segments.end());
  }
  return out;
}

void TensorBinder::Accept(std::string_view name) {
  if (const StoredTensor* tensor = Peek(name)) used_.insert(tensor);
}

Status TensorBinder::Finish(std::initializer_list<std::string_view> skipped) {
  if (!ok() || planning()) return status_;
  std::vector<std::string> unused;
  for (std::string& name : source_->Names()) {
    if (used_.contains(source_->Find(name))) continue;
    const auto contains = [&](std::string_view part) { return name.find(part) != name.npos; };
    if (std::ranges::any_of(skipped, contains)) continue;
    unused.push_back(std::move(name));
  }
  if (unused.empty()) return status_;
  std::ranges::sort(unused);
  const size_t listed = std::min(unused.size(), kMaxListed);
  std::string names = fmt::format("{}", fmt::join(unused.begin(), unused.begin() + listed, ", "));
  if (unused.size() > listed) names += fmt::format(" and {} more", unused.size() - listed);
  Fail(BadInput(source_->path(), names,
                unused.size() == 1 ? "a tensor with no place in the model"
                                   : "tensors with no place in the model",
                "only tensors that the configuration calls for"));
  return status_;
}

}  // namespace ringlet
