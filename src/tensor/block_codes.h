// GGUF block formats as integer codes with scales, for kernels that multiply the codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "tensor/dtype.h"

namespace ringlet {

// value = scale * (code - zero_point) + min, one scale (and min) for `group` consecutive values.
struct BlockCodeFormat {
  int bits = 8;  // codes are 0..15 for 4 bits, -128..127 for 8
  int group = 32;
  int zero_point = 0;
  bool has_min = false;
  bool half_exact = true;  // scales and minimums are fp16 values
};

// nullopt for types that are not block formats.
std::optional<BlockCodeFormat> CodeFormat(DType type);

// Decodes `elements` values (whole blocks) of one row: codes[elements], scales[elements / group]
// and, when has_min, mins[elements / group].
void DecodeCodes(DType type, const std::byte* data, int64_t elements, int8_t* codes, float* scales,
                 float* mins);

}  // namespace ringlet
