#include "tensor/tensor_source.h"

#include "base/check.h"
#include "base/checked.h"

namespace ringlet {

void TensorSource::Advise(std::span<const std::byte> /*part*/, Access /*access*/) const {}

int64_t StoredTensor::elements() const {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

int64_t StoredTensor::row_elements() const { return shape.empty() ? 1 : shape.back(); }

int64_t StoredTensor::rows() const {
  int64_t count = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) count *= shape[i];
  return count;
}

std::optional<uint64_t> RowBytes(DType type, uint64_t elements) {
  const DTypeTraits& traits = Traits(type);
  const auto block = static_cast<uint64_t>(traits.block_elements);
  if (elements % block != 0) return std::nullopt;
  return CheckedMul(elements / block, static_cast<uint64_t>(traits.block_bytes));
}

void DecodeRow(const StoredTensor& tensor, int64_t row, float* out) {
  RINGLET_CHECK(row >= 0 && row < tensor.rows(), "row out of range");
  const uint64_t bytes =
      RowBytes(tensor.dtype, static_cast<uint64_t>(tensor.row_elements())).value();
  const uint64_t offset = static_cast<uint64_t>(row) * bytes;
  RINGLET_CHECK(offset + bytes <= tensor.data.size(), "tensor data too short");
  DecodeValues(tensor.dtype, tensor.data.data() + offset, tensor.row_elements(), out);
}

}  // namespace ringlet
