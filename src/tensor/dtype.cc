#include "tensor/dtype.h"

#include <array>

#include "base/check.h"

namespace ringlet {
namespace {

constexpr std::array<DTypeTraits, 21> kTraits = {{
    {DType::kF32, "F32", 1, 4},
    {DType::kF16, "F16", 1, 2},
    {DType::kBF16, "BF16", 1, 2},
    {DType::kF8E4M3, "F8_E4M3", 1, 1},
    {DType::kI64, "I64", 1, 8},
    {DType::kI32, "I32", 1, 4},
    {DType::kI16, "I16", 1, 2},
    {DType::kI8, "I8", 1, 1},
    {DType::kU8, "U8", 1, 1},
    {DType::kBool, "BOOL", 1, 1},
    {DType::kF64, "F64", 1, 8},
    {DType::kQ4_0, "Q4_0", 32, 18},
    {DType::kQ4_1, "Q4_1", 32, 20},
    {DType::kQ5_0, "Q5_0", 32, 22},
    {DType::kQ5_1, "Q5_1", 32, 24},
    {DType::kQ8_0, "Q8_0", 32, 34},
    {DType::kQ4_K, "Q4_K", 256, 144},
    {DType::kQ5_K, "Q5_K", 256, 176},
    {DType::kQ6_K, "Q6_K", 256, 210},
    {DType::kPackedI4, "PACKED_I4", 8, 4},
    {DType::kPackedI8, "PACKED_I8", 4, 4},
}};

}  // namespace

const DTypeTraits& Traits(DType type) {
  const auto index = static_cast<size_t>(type);
  RINGLET_CHECK(index < kTraits.size() && kTraits[index].type == type, "traits row out of order");
  return kTraits[index];
}

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const DTypeTraits& row : kTraits) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

float F16ToFloat(f16_t value) {
  const uint32_t sign = static_cast<uint32_t>(value & 0x8000u) << 16;
  const uint32_t exponent = (value >> 10) & 0x1fu;
  const uint32_t mantissa = value & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

f16_t FloatToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<f16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<f16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<f16_t>(sign | 0x7c00u);  // rounds to >= 65536
  if (magnitude < 0x38800000u) {
    // Subnormal or zero: adding 0.5 aligns the 2^-24 grid with the last bit of the float, so the
    // addition itself rounds to nearest even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<f16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<f16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float F8E4M3ToFloat(uint8_t value) {
  const float sign = (value & 0x80u) != 0 ? -1.0f : 1.0f;
  const int exponent = (value >> 3) & 0xf;
  const int mantissa = value & 0x7;
  if (exponent == 15 && mantissa == 7) return std::nanf("");
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -9);
  return sign * std::ldexp(1.0f + static_cast<float>(mantissa) / 8.0f, exponent - 7);
}

uint8_t FloatToF8E4M3(float value) {
  const uint8_t sign = std::signbit(value) ? 0x80u : 0;
  if (std::isnan(value)) return static_cast<uint8_t>(sign | 0x7fu);
  const float magnitude = std::fabs(value);
  if (magnitude >= 448.0f) return static_cast<uint8_t>(sign | 0x7eu);
  if (magnitude < 0x1.0p-6f) {
    return static_cast<uint8_t>(sign | static_cast<uint8_t>(std::nearbyintf(magnitude * 512.0f)));
  }
  const uint32_t bits = std::bit_cast<uint32_t>(magnitude);
  const uint32_t rounded = bits + 0x7ffffu + ((bits >> 20) & 1u);
  const uint32_t code = (rounded >> 20) - ((127 - 7) << 3);
  return static_cast<uint8_t>(sign | (code > 0x7eu ? 0x7eu : code));
}

}  // namespace ringlet
