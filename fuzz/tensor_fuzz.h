// What the fuzz targets do with a tensor file that a reader accepted: everything it promises must
// hold for any input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "tensor/tensor_source.h"

namespace ringlet {

// Decodes the first and last row of each float tensor and checks that every view holds exactly the
// bytes that its shape and type say.
inline void UseTensors(const TensorSource& source) {
  for (const std::string& name : source.Names()) {
    const StoredTensor* tensor = source.Find(name);
    RINGLET_CHECK(tensor != nullptr && tensor->name == name, "a listed tensor must be found");
    const auto row = static_cast<uint64_t>(tensor->row_elements());
    const std::optional<uint64_t> row_bytes = RowBytes(tensor->dtype, row);
    RINGLET_CHECK(row_bytes.has_value(), "a row must be whole blocks");
    RINGLET_CHECK(tensor->data.size() == *row_bytes * static_cast<uint64_t>(tensor->rows()),
                  "the view must fit the shape");
    const bool integer = tensor->dtype >= DType::kI64 && tensor->dtype <= DType::kF64;
    if (integer || tensor->data.empty()) continue;
    std::vector<float> values(row);
    DecodeRow(*tensor, 0, values.data());
    DecodeRow(*tensor, tensor->rows() - 1, values.data());
  }
}

}  // namespace ringlet
