#include <cstring>

#include "base/check.h"
#include "tensor/block_codes.h"
#include "tensor/tensor_source.h"

namespace ringlet {
namespace {

template <typename T, float (*Convert)(T)>
void ConvertValues(const std::byte* data, int64_t elements, float* out) {
  for (int64_t i = 0; i < elements; ++i) {
    T value;
    std::memcpy(&value, data + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    out[i] = Convert(value);
  }
}

// A block at a time: codes, scales and minimums of one block fit these arrays for every format.
void DecodeBlocks(DType type, const std::byte* data, int64_t elements, float* out) {
  const BlockCodeFormat format = CodeFormat(type).value();
  const DTypeTraits& traits = Traits(type);
  int8_t codes[256];
  float scales[16];
  float mins[16];
  for (int64_t i = 0; i < elements; i += traits.block_elements) {
    const std::byte* block = data + i / traits.block_elements * traits.block_bytes;
    DecodeCodes(type, block, traits.block_elements, codes, scales, mins);
    for (int64_t j = 0; j < traits.block_elements; ++j) {
      const int64_t group = j / format.group;
      const float value = scales[group] * static_cast<float>(codes[j] - format.zero_point);
      out[i + j] = format.has_min ? value + mins[group] : value;
    }
  }
}

void DecodePackedI4(const std::byte* data, int64_t elements, float* out) {
  for (int64_t i = 0; i < elements; i += 2) {
    const int byte = std::to_integer<int>(data[i / 2]);
    out[i] = static_cast<float>((byte & 15) - 8);
    out[i + 1] = static_cast<float>((byte >> 4) - 8);
  }
}

void DecodePackedI8(const std::byte* data, int64_t elements, float* out) {
  for (int64_t i = 0; i < elements; ++i) {
    out[i] = static_cast<float>(std::to_integer<int>(data[i]) - 128);
  }
}

}  // namespace

void DecodeValues(DType type, const std::byte* data, int64_t elements, float* out) {
  switch (type) {
    case DType::kF32:
      std::memcpy(out, data, static_cast<size_t>(elements) * 4);
      return;
    case DType::kF16:
      return ConvertValues<f16_t, F16ToFloat>(data, elements, out);
    case DType::kBF16:
      return ConvertValues<bf16_t, Bf16ToFloat>(data, elements, out);
    case DType::kF8E4M3:
      return ConvertValues<uint8_t, F8E4M3ToFloat>(data, elements, out);
    case DType::kPackedI4:
      return DecodePackedI4(data, elements, out);
    case DType::kPackedI8:
      return DecodePackedI8(data, elements, out);
    default:
      break;
  }
  RINGLET_CHECK(CodeFormat(type).has_value(), "not a floating-point or block type");
  DecodeBlocks(type, data, elements, out);
}

}  // namespace ringlet
