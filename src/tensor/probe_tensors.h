// For tests and fuzz targets: holds a reader of tensor files to what it promises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "tensor/tensor_source.h"

namespace ringlet {

// Checks that every view of an accepted file holds exactly the bytes that its shape and type say,
// reads them all (a sanitizer sees one that leaves the file) and decodes the first and last row of
// each float tensor.
inline void ProbeTensors(const TensorSource& source) {
  for (const std::string& name : source.Names()) {
    const StoredTensor* tensor = source.Find(name);
    RINGLET_CHECK(tensor != nullptr && tensor->name == name, "a listed tensor must be found");
    const auto row = static_cast<uint64_t>(tensor->row_elements());
    const std::optional<uint64_t> row_bytes = RowBytes(tensor->dtype, row);
    RINGLET_CHECK(row_bytes.has_value(), "a row must be whole blocks");
    RINGLET_CHECK(tensor->data.size() == *row_bytes * static_cast<uint64_t>(tensor->rows()),
                  "the view must fit the shape");
    volatile uint8_t seen = 0;
    for (const std::byte b : tensor->data) seen = std::to_integer<uint8_t>(b);
    static_cast<void>(seen);
    const bool integer = tensor->dtype >= DType::kI64 && tensor->dtype <= DType::kF64;
    if (integer || tensor->data.empty()) continue;
    std::vector<float> values(row);
    DecodeRow(*tensor, 0, values.data());
    DecodeRow(*tensor, tensor->rows() - 1, values.data());
  }
}

}  // namespace ringlet
