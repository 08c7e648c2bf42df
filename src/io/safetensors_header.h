// The JSON header of a safetensors file: parsed in one pass into the entries it declares, without a
// document in memory. The reader and the writer check a header with the same rules.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace ringlet {

constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

// One declared tensor: bytes [begin, end) of the data section.
struct SafetensorsRange {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsRange> tensors;  // in the order of the data section
  std::map<std::string, std::string> metadata;
};

// Parses and checks the header text of a file whose data section has `data_bytes` bytes.
// Guarantees: unique valid names, ranks and dimensions within limits, every range as long as its
// shape and dtype say, and every data byte in exactly one range. Errors name `source`, the tensor
// and the field.
Result<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text, uint64_t data_bytes,
                                                 const std::string& source);

// Bytes of a plain (not block) dtype and shape. nullopt for a negative dimension, or when the
// product of the dimensions other than zero, or the byte count, does not fit 63 bits.
std::optional<uint64_t> PlainTensorBytes(DType dtype, const std::vector<int64_t>& shape);

}  // namespace ringlet
