#include "tensor/block_codes.h"

#include <cstring>

#include "base/check.h"

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

// What one block decodes to; the pointers have been advanced to the block.
struct Out {
  int8_t* codes;
  float* scales;
  float* mins;
};

// 16 bytes of nibbles: low nibbles are values 0..15, high nibbles 16..31.
int Nibble(const std::byte* nibbles, int i) {
  const int byte = Byte(nibbles, i & 15);
  return i < 16 ? byte & 15 : byte >> 4;
}

// The fifth bit of value i is bit i of `high`.
int FiveBits(const std::byte* nibbles, uint32_t high, int i) {
  return Nibble(nibbles, i) | static_cast<int>((high >> i & 1u) << 4);
}

// Q4_0: f16 scale, nibbles; value = d * (code - 8).
void Q4_0(const std::byte* block, const Out& out) {
  out.scales[0] = LoadF16(block);
  for (int i = 0; i < 32; ++i) out.codes[i] = static_cast<int8_t>(Nibble(block + 2, i));
}

// Q4_1: f16 scale, f16 minimum, nibbles; value = d * code + m.
void Q4_1(const std::byte* block, const Out& out) {
  out.scales[0] = LoadF16(block);
  out.mins[0] = LoadF16(block + 2);
  for (int i = 0; i < 32; ++i) out.codes[i] = static_cast<int8_t>(Nibble(block + 4, i));
}

// Q5_0: f16 scale, u32 of fifth bits, nibbles; value = d * (code - 16). Codes leave as signed.
void Q5_0(const std::byte* block, const Out& out) {
  out.scales[0] = LoadF16(block);
  const auto high = Load<uint32_t>(block + 2);
  for (int i = 0; i < 32; ++i) {
    out.codes[i] = static_cast<int8_t>(FiveBits(block + 6, high, i) - 16);
  }
}

// Q5_1: f16 scale, f16 minimum, u32 of fifth bits, nibbles; value = d * code + m.
void Q5_1(const std::byte* block, const Out& out) {
  out.scales[0] = LoadF16(block);
  out.mins[0] = LoadF16(block + 2);
  const auto high = Load<uint32_t>(block + 4);
  for (int i = 0; i < 32; ++i) out.codes[i] = static_cast<int8_t>(FiveBits(block + 8, high, i));
}

// Q8_0: f16 scale, 32 signed bytes; value = d * code.
void Q8_0(const std::byte* block, const Out& out) {
  out.scales[0] = LoadF16(block);
  std::memcpy(out.codes, block + 2, 32);
}

// Six-bit scale and minimum of group j (0..7) of a Q4_K or Q5_K block, packed in 12 bytes.
void KGroup(const std::byte* block, int j, const Out& out) {
  const float d = LoadF16(block);
  const float dmin = LoadF16(block + 2);
  const std::byte* packed = block + 4;
  int scale = Byte(packed, j) & 63;
  int min = Byte(packed, j + 4) & 63;
  if (j >= 4) {
    scale = (Byte(packed, j + 4) & 15) | ((Byte(packed, j - 4) >> 6) << 4);
    min = (Byte(packed, j + 4) >> 4) | ((Byte(packed, j) >> 6) << 4);
  }
  out.scales[j] = d * static_cast<float>(scale);
  out.mins[j] = -(dmin * static_cast<float>(min));
}

// Q4_K: f16 d, f16 dmin, 12 bytes of scales, 128 bytes of nibbles. Groups 2p and 2p+1 of 32 values
// share bytes 32p..32p+31 (low, then high nibbles); value = d*scale*code - dmin*min.
void Q4_K(const std::byte* block, const Out& out) {
  for (int j = 0; j < 8; ++j) {
    KGroup(block, j, out);
    const std::byte* nibbles = block + 16 + (j / 2) * 32;
    for (int i = 0; i < 32; ++i) {
      out.codes[j * 32 + i] = static_cast<int8_t>((Byte(nibbles, i) >> (j % 2 * 4)) & 15);
    }
  }
}

// Q5_K: as Q4_K with 32 bytes of fifth bits before the nibbles: bit j of byte i belongs to value i
// of group j.
void Q5_K(const std::byte* block, const Out& out) {
  for (int j = 0; j < 8; ++j) {
    KGroup(block, j, out);
    const std::byte* nibbles = block + 48 + (j / 2) * 32;
    for (int i = 0; i < 32; ++i) {
      const int low = (Byte(nibbles, i) >> (j % 2 * 4)) & 15;
      const int high = (Byte(block, 16 + i) >> j) & 1;
      out.codes[j * 32 + i] = static_cast<int8_t>(low | high << 4);
    }
  }
}

// Q6_K: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed group scales (16 values
// each), f16 d at the end; value = d * scale * (code - 32). Each half of 128 values uses 64 bytes
// of nibbles and 32 of pairs: value 32q+i takes nibble byte i (+32 for odd q), high half for q
// >= 2.
void Q6_K(const std::byte* block, const Out& out) {
  const float d = LoadF16(block + 208);
  for (int g = 0; g < 16; ++g) {
    out.scales[g] = d * static_cast<float>(static_cast<int8_t>(Byte(block, 192 + g)));
  }
  for (int half = 0; half < 2; ++half) {
    const std::byte* low = block + half * 64;
    const std::byte* high = block + 128 + half * 32;
    for (int q = 0; q < 4; ++q) {
      for (int i = 0; i < 32; ++i) {
        const int nibble = (Byte(low, i + (q % 2) * 32) >> (q / 2 * 4)) & 15;
        const int code = nibble | ((Byte(high, i) >> (2 * q)) & 3) << 4;
        out.codes[half * 128 + q * 32 + i] = static_cast<int8_t>(code - 32);
      }
    }
  }
}

struct Decoder {
  DType type;
  BlockCodeFormat format;
  void (*block)(const std::byte*, const Out&);
};

constexpr Decoder kDecoders[] = {
    {DType::kQ4_0, {.bits = 4, .zero_point = 8}, Q4_0},
    {DType::kQ4_1, {.bits = 4, .has_min = true}, Q4_1},
    {DType::kQ5_0, {}, Q5_0},
    {DType::kQ5_1, {.has_min = true}, Q5_1},
    {DType::kQ8_0, {}, Q8_0},
    {DType::kQ4_K, {.bits = 4, .has_min = true, .half_exact = false}, Q4_K},
    {DType::kQ5_K, {.has_min = true, .half_exact = false}, Q5_K},
    {DType::kQ6_K, {.group = 16, .half_exact = false}, Q6_K},
};

const Decoder* FindDecoder(DType type) {
  for (const Decoder& decoder : kDecoders) {
    if (decoder.type == type) return &decoder;
  }
  return nullptr;
}

}  // namespace

std::optional<BlockCodeFormat> CodeFormat(DType type) {
  const Decoder* decoder = FindDecoder(type);
  if (decoder == nullptr) return std::nullopt;
  return decoder->format;
}

void DecodeCodes(DType type, const std::byte* data, int64_t elements, int8_t* codes, float* scales,
                 float* mins) {
  const Decoder* decoder = FindDecoder(type);
  RINGLET_CHECK(decoder != nullptr, "not a block format");
  const DTypeTraits& traits = Traits(type);
  for (int64_t i = 0; i < elements; i += traits.block_elements) {
    const int64_t group = i / decoder->format.group;
    decoder->block(data + i / traits.block_elements * traits.block_bytes,
                   {codes + i, scales + group, mins + group});
  }
}

}  // namespace ringlet
