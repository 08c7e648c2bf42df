// Element and block types of stored tensors: one traits row each, and scalar conversions.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace ringlet {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kF8E4M3,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kF64,
  // GGUF block formats (docs/formats.md): block_elements values in block_bytes bytes, along the
  // innermost dimension.
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  // Signed codes of integer-quantized checkpoints (docs/formats.md), 32 / bits to a little-endian
  // word, stored with half their range added. Scales are separate tensors.
  kPackedI4,
  kPackedI8,
};

struct DTypeTraits {
  DType type;
  std::string_view name;   // "BF16", "Q4_K": as safetensors and GGUF tools print it
  int64_t block_elements;  // 1 for plain types
  int64_t block_bytes;
};

const DTypeTraits& Traits(DType type);
std::optional<DType> DTypeFromName(std::string_view name);
inline std::string_view Name(DType type) { return Traits(type).name; }

using bf16_t = uint16_t;
using f16_t = uint16_t;

inline float Bf16ToFloat(bf16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

// Round to nearest even; NaN stays NaN (quieted).
inline bf16_t FloatToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<bf16_t>((bits >> 16) | 0x40u);
  return static_cast<bf16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float F16ToFloat(f16_t value);
// Round to nearest even, overflow to infinity.
f16_t FloatToF16(float value);

// float8_e4m3fn: bias 7, no infinity, 0x7f and 0xff are NaN, largest 448.
float F8E4M3ToFloat(uint8_t value);
// Round to nearest even, saturating at 448; NaN stays NaN.
uint8_t FloatToF8E4M3(float value);

}  // namespace ringlet
