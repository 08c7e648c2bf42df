// Named tensors of a checkpoint as its file stores them: what io/ produces and model/ consumes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/status.h"
#include "tensor/dtype.h"

namespace ringlet {

// A read-only view of one stored tensor. Shape is outermost first ([out, in] for a projection),
// rows are contiguous. `data` may be misaligned for its type: read with memcpy. `keep_alive` holds
// the mapping.
struct StoredTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
  std::shared_ptr<const void> keep_alive;

  int64_t elements() const;
  int64_t rows() const;          // product of all but the last dimension; 1 for a scalar
  int64_t row_elements() const;  // last dimension; 1 for a scalar
};

// All tensors of a checkpoint. Names are unique.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // File or directory, for error messages.
  virtual const std::string& path() const = 0;
  virtual std::vector<std::string> Names() const = 0;
  // nullptr when there is no such tensor. The pointer lives as long as the source.
  virtual const StoredTensor* Find(std::string_view name) const = 0;
  // Tells that `part` of a tensor's data will be read soon, or not again: for reading checkpoints
  // larger than memory from one end to the other.
  virtual void Advise(std::span<const std::byte> part, Access access) const;
};

// Bytes of `elements` values along one row of `type`, or nullopt when not whole blocks or overflow.
std::optional<uint64_t> RowBytes(DType type, uint64_t elements);

// Decodes row `row` (of rows()) to row_elements() floats. The dtype must be a float, block or
// packed type. Plain IEEE conversions and, for block types, the formulas of docs/formats.md in
// fp32; packed codes as signed numbers.
void DecodeRow(const StoredTensor& tensor, int64_t row, float* out);

// Decodes `elements` values of one row stored at `data`.
void DecodeValues(DType type, const std::byte* data, int64_t elements, float* out);

}  // namespace ringlet
