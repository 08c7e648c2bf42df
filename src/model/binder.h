// TensorBinder: finds the tensors of a checkpoint by name, checks shape and dtype, and remembers
// which were used. After the first problem every further request returns an empty result, so that
// bindings stay straight-line code; loops over layers and experts test ok().
//
// Without a source it plans instead: every requested tensor exists, without data, and plan() lists
// them in order of request. The writer of random checkpoints uses this, so that one table of names
// serves both reading and writing.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "model/weights.h"
#include "tensor/tensor_source.h"

namespace ringlet {

class TensorBinder {
 public:
  TensorBinder() = default;
  // `source` must outlive the binder and whatever it binds.
  explicit TensorBinder(const TensorSource& source) : source_(&source) {}
  TensorBinder(const TensorBinder&) = delete;
  TensorBinder& operator=(const TensorBinder&) = delete;

  bool ok() const { return status_.ok(); }
  bool planning() const { return source_ == nullptr; }
  const std::deque<StoredTensor>& plan() const { return plan_; }

  // The tensor if the source has one of this name (never while planning). Does not count as use.
  const StoredTensor* Peek(std::string_view name) const;

  // A float tensor of shape [size].
  const StoredTensor* Vector(const std::string& name, int64_t size);
  // A [rows, cols] tensor of a float, block or packed type; F8_E4M3 needs its "<name>_scale_inv",
  // a packed type its "<name>_scale" and uses "<name>_zero_point" when there is one.
  MatrixRef Matrix(const std::string& name, int64_t rows, int64_t cols);
  // The same with rotary pairs of each head interleaved (MatrixSegment::interleaved_head_dim).
  MatrixRef InterleavedMatrix(const std::string& name, int64_t rows, int64_t cols,
                              int64_t head_dim);
  // Matrix `index` of a tensor of shape [count, rows, cols]. Not while planning.
  MatrixRef Slice(const std::string& name, int64_t count, int64_t index, int64_t rows,
                  int64_t cols);
  // The parts' rows one after another. All parts have the same number of columns.
  static MatrixRef Stack(std::initializer_list<MatrixRef> parts);

  // Counts the tensor as used when it is there.
  void Accept(std::string_view name);
  void Fail(Status status);

  // The first problem, else an error that names unused tensors. Names that contain one of `skipped`
  // may stay unused.
  Status Finish(std::initializer_list<std::string_view> skipped);

 private:
  // The named tensor, which must have exactly this shape; nullptr on error.
  const StoredTensor* Find(const std::string& name, const std::vector<int64_t>& shape);
  void CheckPlainFloat(const StoredTensor& tensor);
  void CheckMatrixType(const StoredTensor& tensor);
  void BindScales(MatrixSegment& segment);
  // The companion `name`, which must have `rows` rows; nullptr on error.
  const StoredTensor* FindGroups(const std::string& name, int64_t rows);

  const TensorSource* source_ = nullptr;
  std::deque<StoredTensor> plan_;  // a deque: pointers to elements stay valid
  std::unordered_set<const StoredTensor*> used_;
  Status status_;
};

}  // namespace ringlet
