#include "ops/gemm/packed_matrix.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "tensor/dtype.h"

namespace ringlet {
namespace {

// Rows of one panel that exist; the rest of the panel is zero.
int64_t PanelRows(int64_t n, int64_t panel) { return std::min(kPanel, n - panel * kPanel); }

// A matrix whose bytes are written panel by panel: `write(panel, base)` fills zeroed bytes and is
// called from several threads.
template <typename WritePanel>
PackedMatrix Build(Context& context, PackedMatrix matrix, const WritePanel& write) {
  AlignedBuffer<std::byte> bytes(static_cast<size_t>(matrix.panels() * matrix.panel_bytes));
  context.pool.ParallelFor(matrix.panels(), [&](int64_t panel, int) {
    std::byte* base = bytes.data() + panel * matrix.panel_bytes;
    std::memset(base, 0, static_cast<size_t>(matrix.panel_bytes));
    write(panel, base);
  });
  matrix.data = SharedBytes(std::move(bytes));
  return matrix;
}

float LoadScale(const std::byte* scales, ScaleType type, int64_t i) {
  if (type == ScaleType::kInt8) return static_cast<float>(std::to_integer<int8_t>(scales[i]));
  if (type == ScaleType::kF32) {
    float value;
    std::memcpy(&value, scales + 4 * i, 4);
    return value;
  }
  f16_t half;
  std::memcpy(&half, scales + 2 * i, 2);
  return F16ToFloat(half);
}

void StoreScale(float value, ScaleType type, int64_t i, std::byte* scales) {
  if (type == ScaleType::kInt8) {
    RINGLET_CHECK(value >= -128.0f && value <= 127.0f, "an int8 scale out of range");
    scales[i] = static_cast<std::byte>(static_cast<int>(value));
  } else if (type == ScaleType::kF32) {
    std::memcpy(scales + 4 * i, &value, 4);
  } else {
    const f16_t half = FloatToF16(value);
    std::memcpy(scales + 2 * i, &half, 2);
  }
}

// Where a panel keeps the code, scale and minimum of input i of output `lane`.
struct QuantPlace {
  int64_t code;  // byte offsets in the panel
  bool high;     // the byte's high nibble (4 bits)
  int64_t scales;
  int64_t scale;  // index from `scales`, in scales
  int64_t min;    // index from `scales`
};

QuantPlace Locate(const QuantLayout& layout, int64_t lane, int64_t i) {
  QuantPlace place{};
  if (layout.scales == ScaleType::kInt8) {
    const int64_t base = i / kQuantGroup * 2 * layout.GroupBytes();
    const int64_t second = i % kQuantGroup / layout.group;
    const int64_t in_group = i % layout.group;
    place.code = base + (in_group / 4 * kPanel + lane) * 4 + second * 2 + in_group % 2;
    place.high = in_group % 4 >= 2;
    place.scales = base + kPanel * kQuantGroup / 2;
    place.scale = lane * 2 + second;
    return place;
  }
  const int64_t base = i / layout.group * layout.GroupBytes();
  const int64_t in_group = i % layout.group;
  const int step = layout.bits == 4 ? 8 : 4;
  place.code = base + (in_group / step * kPanel + lane) * 4 + in_group % 4;
  place.high = layout.bits == 4 && in_group % 8 >= 4;
  place.scales = base + kPanel * layout.group * layout.bits / 8;
  place.scale = lane;
  place.min = kPanel + lane;
  return place;
}

// The multiplier of kInt8 scales, at the panel's end.
int64_t MultiplierOffset(const QuantLayout& layout, int64_t k, int64_t lane) {
  return layout.PanelBytes(k) - kPanel * 4 + lane * 4;
}

// The codes of one group, 8-bit or in the nibbles of octets.
void StoreCodes(const QuantLayout& layout, const int8_t* codes, int64_t lane, std::byte* group) {
  const int64_t step = layout.bits == 4 ? 8 : 4;
  for (int64_t i = 0; i < layout.group; i += step) {
    std::byte* word = group + (i / step * kPanel + lane) * 4;
    for (int64_t j = 0; j < 4; ++j) {
      const int low = static_cast<uint8_t>(codes[i + j]);
      const int high = layout.bits == 4 ? codes[i + j + 4] & 15 : 0;
      word[j] = static_cast<std::byte>(layout.bits == 4 ? (low & 15) | high << 4 : low);
    }
  }
}

// The codes of one of the two groups that share the words of a kInt8 layout.
void StorePairedCodes(const int8_t* codes, int64_t lane, int64_t second, std::byte* groups) {
  for (int64_t i = 0; i < kInt4Layout.group; i += 4) {
    std::byte* half = groups + (i / 4 * kPanel + lane) * 4 + second * 2;
    half[0] = static_cast<std::byte>((codes[i] & 15) | (codes[i + 2] & 15) << 4);
    half[1] = static_cast<std::byte>((codes[i + 1] & 15) | (codes[i + 3] & 15) << 4);
  }
}

// Writes one output's row into lane `lane` of a zeroed panel.
void StoreQuantRow(const QuantLayout& layout, int64_t k, const QuantRow& row, int64_t lane,
                   std::byte* panel) {
  const bool paired = layout.scales == ScaleType::kInt8;
  for (int64_t g = 0; g < k / layout.group; ++g) {
    const int8_t* codes = row.codes + g * layout.group;
    const QuantPlace place = Locate(layout, lane, g * layout.group);
    if (paired) {
      StorePairedCodes(codes, lane, g % 2, panel + g / 2 * 2 * layout.GroupBytes());
    } else {
      StoreCodes(layout, codes, lane, panel + g * layout.GroupBytes());
    }
    StoreScale(row.scales[g], layout.scales, place.scale, panel + place.scales);
    if (layout.has_min) StoreScale(row.mins[g], layout.scales, place.min, panel + place.scales);
  }
  if (paired) std::memcpy(panel + MultiplierOffset(layout, k, lane), row.multiplier, 4);
}

void UnpackQuantRow(const QuantLayout& layout, int64_t k, const std::byte* panel, int64_t lane,
                    float* out) {
  float multiplier = 1.0f;
  if (layout.scales == ScaleType::kInt8) {
    std::memcpy(&multiplier, panel + MultiplierOffset(layout, k, lane), 4);
  }
  for (int64_t i = 0; i < k; ++i) {
    const QuantPlace place = Locate(layout, lane, i);
    int code = std::to_integer<int8_t>(panel[place.code]);
    if (layout.bits == 4) code = place.high ? (code & 255) >> 4 : code & 15;
    const std::byte* scales = panel + place.scales;
    const float scale = LoadScale(scales, layout.scales, place.scale) * multiplier;
    const float min = layout.has_min ? LoadScale(scales, layout.scales, place.min) : 0.0f;
    out[i] = scale * static_cast<float>(code - layout.zero_point) + min;
  }
}

// Bytes of a block of kFp8: codes, rounded up to whole pairs, and scales.
constexpr int64_t Fp8BlockBytes(int64_t inputs) {
  return (inputs + 1) / 2 * 2 * kPanel + kPanel * 4;
}

// Where a panel of k inputs keeps the code of input i of output `lane`, and its scale.
struct Fp8Place {
  int64_t code;
  int64_t scale;
};
Fp8Place LocateFp8(int64_t k, int64_t lane, int64_t i) {
  const int64_t base = i / kFp8Block * Fp8BlockBytes(kFp8Block);
  const int64_t in_block = i % kFp8Block;
  const int64_t inputs = std::min(kFp8Block, k - i / kFp8Block * kFp8Block);
  return {.code = base + (in_block / 2 * kPanel + lane) * 2 + in_block % 2,
          .scale = base + Fp8BlockBytes(inputs) - kPanel * 4 + lane * 4};
}

// Writes one output's row into lane `lane` of a zeroed panel.
void StoreFp8Row(int64_t k, const Fp8Row& row, int64_t lane, std::byte* panel) {
  constexpr uint8_t kNan = 0x7f;  // and with the sign bit
  for (int64_t begin = 0; begin < k; begin += kFp8Block) {
    const Fp8Place place = LocateFp8(k, lane, begin);
    std::byte* pairs = panel + place.code;
    float scale = row.scales[begin / kFp8Block];
    for (int64_t i = 0; i < std::min(kFp8Block, k - begin); ++i) {
      const uint8_t code = row.codes[begin + i];
      const bool nan = (code & kNan) == kNan;
      if (nan) scale = std::numeric_limits<float>::quiet_NaN();
      pairs[i / 2 * kPanel * 2 + i % 2] = static_cast<std::byte>(nan ? 0 : code);
    }
    std::memcpy(panel + place.scale, &scale, 4);
  }
}

void UnpackFp8Row(int64_t k, const std::byte* panel, int64_t lane, float* out) {
  for (int64_t i = 0; i < k; ++i) {
    const Fp8Place place = LocateFp8(k, lane, i);
    float scale;
    std::memcpy(&scale, panel + place.scale, 4);
    out[i] = scale * F8E4M3ToFloat(std::to_integer<uint8_t>(panel[place.code]));
  }
}

}  // namespace

bool IsSupported(const QuantLayout& layout) {
  if (layout.scales == ScaleType::kInt8) {
    return layout.bits == 4 && layout.group == 16 && layout.zero_point == 8 && !layout.has_min;
  }
  if (layout.bits == 4) return layout.group == 32 && (!layout.has_min || layout.zero_point == 0);
  const bool wide = layout.scales == ScaleType::kF32;
  return layout.bits == 8 && (layout.group == 32 || layout.group == 16) &&
         (wide || (layout.group == 32 && !layout.has_min));
}

int64_t PanelBytes(PackedFormat format, const QuantLayout& quant, int64_t k) {
  switch (format) {
    case PackedFormat::kF32:
      return k * kPanel * 4;
    case PackedFormat::kBf16:
      return (k + 1) / 2 * kPanel * 4;
    case PackedFormat::kQuant:
      return quant.PanelBytes(k);
    case PackedFormat::kFp8:
      return k / kFp8Block * Fp8BlockBytes(kFp8Block) +
             (k % kFp8Block == 0 ? 0 : Fp8BlockBytes(k % kFp8Block));
  }
  return 0;
}

PackedMatrix PackFloat(Context& context, PackedFormat format, int64_t n, int64_t k,
                       const std::function<void(int64_t row, float* out)>& row) {
  const bool bf16 = format == PackedFormat::kBf16;
  RINGLET_CHECK(bf16 || format == PackedFormat::kF32, "PackFloat packs kF32 and kBf16");
  const PackedMatrix shape{
      .format = format, .n = n, .k = k, .panel_bytes = PanelBytes(format, {}, k)};
  return Build(context, shape, [&](int64_t panel, std::byte* base) {
    std::vector<float> values(static_cast<size_t>(k));
    for (int64_t lane = 0; lane < PanelRows(n, panel); ++lane) {
      row(panel * kPanel + lane, values.data());
      if (bf16) {
        auto* out = reinterpret_cast<bf16_t*>(base);
        for (int64_t i = 0; i < k; ++i) {
          out[(i / 2 * kPanel + lane) * 2 + i % 2] = FloatToBf16(values[static_cast<size_t>(i)]);
        }
      } else {
        auto* out = reinterpret_cast<float*>(base);
        for (int64_t i = 0; i < k; ++i) out[i * kPanel + lane] = values[static_cast<size_t>(i)];
      }
    }
  });
}

PackedMatrix PackQuant(Context& context, const QuantLayout& layout, int64_t n, int64_t k,
                       const std::function<void(int64_t row, const QuantRow& out)>& row) {
  RINGLET_CHECK(k % kQuantGroup == 0, "K must be a multiple of the activation group");
  RINGLET_CHECK(IsSupported(layout), "a layout with kernels");
  const auto groups = static_cast<size_t>(k / layout.group);
  const PackedMatrix shape{.format = PackedFormat::kQuant,
                           .quant = layout,
                           .n = n,
                           .k = k,
                           .panel_bytes = layout.PanelBytes(k)};
  return Build(context, shape, [&](int64_t panel, std::byte* base) {
    std::vector<int8_t> codes(static_cast<size_t>(k));
    std::vector<float> scales(groups);
    std::vector<float> mins(groups);
    float multiplier = 1.0f;
    const QuantRow buffers{codes.data(), scales.data(), mins.data(), &multiplier};
    for (int64_t lane = 0; lane < PanelRows(n, panel); ++lane) {
      row(panel * kPanel + lane, buffers);
      StoreQuantRow(layout, k, buffers, lane, base);
    }
  });
}

PackedMatrix PackFp8(Context& context, int64_t n, int64_t k,
                     const std::function<void(int64_t row, const Fp8Row& out)>& row) {
  const PackedMatrix shape{.format = PackedFormat::kFp8,
                           .n = n,
                           .k = k,
                           .panel_bytes = PanelBytes(PackedFormat::kFp8, {}, k)};
  return Build(context, shape, [&](int64_t panel, std::byte* base) {
    std::vector<uint8_t> codes(static_cast<size_t>(k));
    std::vector<float> scales(static_cast<size_t>((k + kFp8Block - 1) / kFp8Block));
    const Fp8Row buffers{codes.data(), scales.data()};
    for (int64_t lane = 0; lane < PanelRows(n, panel); ++lane) {
      row(panel * kPanel + lane, buffers);
      StoreFp8Row(k, buffers, lane, base);
    }
  });
}

void UnpackRow(const PackedMatrix& matrix, int64_t row, float* out) {
  const std::byte* base = matrix.panel(row / kPanel);
  const int64_t lane = row % kPanel;
  if (matrix.format == PackedFormat::kQuant) {
    return UnpackQuantRow(matrix.quant, matrix.k, base, lane, out);
  }
  if (matrix.format == PackedFormat::kFp8) return UnpackFp8Row(matrix.k, base, lane, out);
  for (int64_t i = 0; i < matrix.k; ++i) {
    if (matrix.format == PackedFormat::kF32) {
      out[i] = reinterpret_cast<const float*>(base)[i * kPanel + lane];
    } else {
      const auto* values = reinterpret_cast<const bf16_t*>(base);
      out[i] = Bf16ToFloat(values[(i / 2 * kPanel + lane) * 2 + i % 2]);
    }
  }
}

}  // namespace ringlet
