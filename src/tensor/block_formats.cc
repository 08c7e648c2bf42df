#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "tensor/tensor_source.h"

namespace ringlet {
namespace {

template <typename T>
T Load(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof(T));
  return value;
}

float LoadF16(const std::byte* data) { return F16ToFloat(Load<f16_t>(data)); }

int Byte(const std::byte* data, int64_t i) { return std::to_integer<int>(data[i]); }

// Q4_0: f16 scale d; 16 bytes of nibbles; low nibbles are values 0..15, high nibbles 16..31;
// value = d * (code - 8).
void DecodeQ4_0(const std::byte* block, float* out) {
  const float d = LoadF16(block);
  for (int i = 0; i < 16; ++i) {
    const int codes = Byte(block, 2 + i);
    out[i] = d * static_cast<float>((codes & 15) - 8);
    out[i + 16] = d * static_cast<float>((codes >> 4) - 8);
  }
}

// Q4_1: f16 scale d, f16 minimum m; value = d * code + m.
void DecodeQ4_1(const std::byte* block, float* out) {
  const float d = LoadF16(block);
  const float m = LoadF16(block + 2);
  for (int i = 0; i < 16; ++i) {
    const int codes = Byte(block, 4 + i);
    out[i] = d * static_cast<float>(codes & 15) + m;
    out[i + 16] = d * static_cast<float>(codes >> 4) + m;
  }
}

// Code i of a Q5 block: four bits from the nibbles, the fifth from bit i of `high`.
int Q5Code(const std::byte* nibbles, uint32_t high, int i) {
  const int byte = Byte(nibbles, i & 15);
  const int low = i < 16 ? byte & 15 : byte >> 4;
  return low | static_cast<int>((high >> i & 1u) << 4);
}

// Q5_0: f16 d, u32 of fifth bits, 16 bytes of nibbles; value = d * (code - 16).
void DecodeQ5_0(const std::byte* block, float* out) {
  const float d = LoadF16(block);
  const auto high = Load<uint32_t>(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Q5Code(block + 6, high, i) - 16);
}

// Q5_1: f16 d, f16 m, u32 of fifth bits, nibbles; value = d * code + m.
void DecodeQ5_1(const std::byte* block, float* out) {
  const float d = LoadF16(block);
  const float m = LoadF16(block + 2);
  const auto high = Load<uint32_t>(block + 4);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Q5Code(block + 8, high, i)) + m;
}

// Q8_0: f16 d, 32 signed bytes; value = d * code.
void DecodeQ8_0(const std::byte* block, float* out) {
  const float d = LoadF16(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(static_cast<int8_t>(Byte(block, 2 + i)));
  }
}

struct ScaleMin {
  int scale;
  int min;
};

// Six-bit scale and minimum of group j (0..7) of a Q4_K or Q5_K block, packed in 12 bytes.
ScaleMin KGroup(const std::byte* packed, int j) {
  if (j < 4) return {Byte(packed, j) & 63, Byte(packed, j + 4) & 63};
  return {(Byte(packed, j + 4) & 15) | ((Byte(packed, j - 4) >> 6) << 4),
          (Byte(packed, j + 4) >> 4) | ((Byte(packed, j) >> 6) << 4)};
}

// Q4_K: f16 d, f16 dmin, 12 bytes of scales, 128 bytes of nibbles. Groups 2p and 2p+1 of 32 values
// share bytes 32p..32p+31 (low, then high nibbles); value = d*scale*code - dmin*min.
void DecodeQ4_K(const std::byte* block, float* out) {
  const float d = LoadF16(block);
  const float dmin = LoadF16(block + 2);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin group = KGroup(block + 4, j);
    const float scale = d * static_cast<float>(group.scale);
    const float min = dmin * static_cast<float>(group.min);
    const std::byte* nibbles = block + 16 + (j / 2) * 32;
    for (int i = 0; i < 32; ++i) {
      const int code = (Byte(nibbles, i) >> (j % 2 * 4)) & 15;
      out[j * 32 + i] = scale * static_cast<float>(code) - min;
    }
  }
}

// Q5_K: as Q4_K with 32 bytes of fifth bits before the nibbles: bit j of byte i belongs to value i of
// group j.
void DecodeQ5_K(const std::byte* block, float* out) {
  const float d = LoadF16(block);
  const float dmin = LoadF16(block + 2);
  for (int j = 0; j < 8; ++j) {
    const ScaleMin group = KGroup(block + 4, j);
    const float scale = d * static_cast<float>(group.scale);
    const float min = dmin * static_cast<float>(group.min);
    const std::byte* nibbles = block + 48 + (j / 2) * 32;
    for (int i = 0; i < 32; ++i) {
      const int low = (Byte(nibbles, i) >> (j % 2 * 4)) & 15;
      const int high = (Byte(block, 16 + i) >> j) & 1;
      out[j * 32 + i] = scale * static_cast<float>(low | high << 4) - min;
    }
  }
}

// Q6_K: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed group scales (16 values
// each), f16 d at the end; value = d * scale * (code - 32). Each half of 128 values uses 64 bytes of
// nibbles and 32 of pairs: value 32q+i takes nibble byte i (+32 for odd q), high half for q >= 2.
void DecodeQ6_K(const std::byte* block, float* out) {
  const float d = LoadF16(block + 208);
  for (int half = 0; half < 2; ++half) {
    const std::byte* low = block + half * 64;
    const std::byte* high = block + 128 + half * 32;
    for (int q = 0; q < 4; ++q) {
      for (int i = 0; i < 32; ++i) {
        const int nibble = (Byte(low, i + (q % 2) * 32) >> (q / 2 * 4)) & 15;
        const int code = nibble | ((Byte(high, i) >> (2 * q)) & 3) << 4;
        const int index = half * 128 + q * 32 + i;
        const auto scale = static_cast<int8_t>(Byte(block, 192 + index / 16));
        out[index] = d * static_cast<float>(scale) * static_cast<float>(code - 32);
      }
    }
  }
}

template <void (*Decode)(const std::byte*, float*)>
void DecodeBlocks(DType type, const std::byte* data, int64_t elements, float* out) {
  const DTypeTraits& traits = Traits(type);
  for (int64_t i = 0; i < elements; i += traits.block_elements) {
    Decode(data + i / traits.block_elements * traits.block_bytes, out + i);
  }
}

}  // namespace

void DecodeValues(DType type, const std::byte* data, int64_t elements, float* out) {
  switch (type) {
    case DType::kF32:
      std::memcpy(out, data, static_cast<size_t>(elements) * 4);
      return;
    case DType::kF16:
      for (int64_t i = 0; i < elements; ++i) out[i] = LoadF16(data + 2 * i);
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < elements; ++i) out[i] = Bf16ToFloat(Load<bf16_t>(data + 2 * i));
      return;
    case DType::kF8E4M3:
      for (int64_t i = 0; i < elements; ++i) out[i] = F8E4M3ToFloat(Load<uint8_t>(data + i));
      return;
    case DType::kQ4_0: return DecodeBlocks<DecodeQ4_0>(type, data, elements, out);
    case DType::kQ4_1: return DecodeBlocks<DecodeQ4_1>(type, data, elements, out);
    case DType::kQ5_0: return DecodeBlocks<DecodeQ5_0>(type, data, elements, out);
    case DType::kQ5_1: return DecodeBlocks<DecodeQ5_1>(type, data, elements, out);
    case DType::kQ8_0: return DecodeBlocks<DecodeQ8_0>(type, data, elements, out);
    case DType::kQ4_K: return DecodeBlocks<DecodeQ4_K>(type, data, elements, out);
    case DType::kQ5_K: return DecodeBlocks<DecodeQ5_K>(type, data, elements, out);
    case DType::kQ6_K: return DecodeBlocks<DecodeQ6_K>(type, data, elements, out);
    default: break;
  }
  RINGLET_CHECK(false, "not a floating-point or block type");
}

}  // namespace ringlet
