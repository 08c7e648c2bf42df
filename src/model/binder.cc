#include "model/binder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/checked.h"

namespace ringlet {
namespace {

constexpr int64_t kScaleBlock = 128;  // rows and columns that share one FP8 scale
constexpr size_t kMaxListed = 3;      // unused tensors named in a message

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
                "F32, F16, BF16, F8_E4M3 or a GGUF block type"));
}

const StoredTensor* TensorBinder::FindScale(const StoredTensor& tensor) {
  if (planning()) return nullptr;
  const std::string name = tensor.name + "_scale_inv";
  if (tensor.dtype != DType::kF8E4M3) {
    if (source_->Find(name) != nullptr) {
      Fail(BadInput(source_->path(), name,
                    fmt::format("scales for a tensor of dtype {}", Name(tensor.dtype)),
                    "scales only beside F8_E4M3 tensors"));
    }
    return nullptr;
  }
  const auto blocks = [](int64_t size) { return (size + kScaleBlock - 1) / kScaleBlock; };
  const StoredTensor* scale = Find(name, {blocks(tensor.shape[0]), blocks(tensor.shape[1])});
  if (scale != nullptr) CheckPlainFloat(*scale);
  return scale;
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
  const StoredTensor* scale = FindScale(*tensor);
  if (!ok()) return {};
  return {.rows = rows,
          .cols = cols,
          .segments = {{.tensor = tensor,
                        .row_begin = 0,
                        .rows = rows,
                        .scale_inv = scale,
                        .interleaved_head_dim = head_dim}}};
}

MatrixRef TensorBinder::Slice(const std::string& name, int64_t count, int64_t index, int64_t rows,
                              int64_t cols) {
  RINGLET_CHECK(!planning(), "a plan would list a sliced tensor once per slice");
  const StoredTensor* tensor = Find(name, {count, rows, cols});
  if (tensor == nullptr) return {};
  CheckMatrixType(*tensor);
  if (tensor->dtype == DType::kF8E4M3) {
    Fail(BadInput(source_->path(), name, "a 3-dimensional F8_E4M3 tensor",
                  "F8_E4M3 only in matrices"));
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
