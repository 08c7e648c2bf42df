#include "ops/gemm/packed_matrix.h"

#include <cstring>
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

float LoadScale(const std::byte* scales, bool wide, int64_t i) {
  if (wide) {
    float value;
    std::memcpy(&value, scales + 4 * i, 4);
    return value;
  }
  f16_t half;
  std::memcpy(&half, scales + 2 * i, 2);
  return F16ToFloat(half);
}

void StoreScale(float value, bool wide, int64_t i, std::byte* scales) {
  if (wide) {
    std::memcpy(scales + 4 * i, &value, 4);
    return;
  }
  const f16_t half = FloatToF16(value);
  std::memcpy(scales + 2 * i, &half, 2);
}

// Writes one output's codes of one group into lane `lane` of the group's code block.
void StoreCodes(const int8_t* codes, const QuantLayout& layout, int64_t lane, std::byte* block) {
  const int step = layout.bits == 4 ? 8 : 4;
  for (int i = 0; i < layout.group; i += step) {
    std::byte* quad = block + (i / step * kPanel + lane) * 4;
    for (int j = 0; j < 4; ++j) {
      int value = static_cast<uint8_t>(codes[i + j]);
      if (layout.bits == 4) value = (value & 15) | (codes[i + 4 + j] & 15) << 4;
      quad[j] = static_cast<std::byte>(value);
    }
  }
}

int LoadCode(const std::byte* block, const QuantLayout& layout, int64_t lane, int i) {
  if (layout.bits == 4) {
    const int byte = std::to_integer<int>(block[(i / 8 * kPanel + lane) * 4 + i % 4]);
    return i % 8 < 4 ? byte & 15 : byte >> 4;
  }
  return static_cast<int8_t>(block[(i / 4 * kPanel + lane) * 4 + i % 4]);
}

}  // namespace

PackedMatrix PackFloat(Context& context, PackedFormat format, int64_t n, int64_t k,
                       const std::function<void(int64_t row, float* out)>& row) {
  RINGLET_CHECK(format != PackedFormat::kQuant, "PackFloat packs kF32 and kBf16");
  const bool bf16 = format == PackedFormat::kBf16;
  const int64_t panel_bytes = bf16 ? (k + 1) / 2 * kPanel * 4 : k * kPanel * 4;
  const PackedMatrix shape{.format = format, .n = n, .k = k, .panel_bytes = panel_bytes};
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
  RINGLET_CHECK(layout.group == 32 || (layout.group == 16 && layout.bits == 8), "group size");
  const int64_t groups = k / layout.group;
  const int64_t group_bytes = layout.GroupBytes();
  const PackedMatrix shape{.format = PackedFormat::kQuant,
                           .quant = layout,
                           .n = n,
                           .k = k,
                           .panel_bytes = groups * group_bytes};
  return Build(context, shape, [&](int64_t panel, std::byte* base) {
    std::vector<int8_t> codes(static_cast<size_t>(k));
    std::vector<float> scales(static_cast<size_t>(groups));
    std::vector<float> mins(static_cast<size_t>(groups));
    for (int64_t lane = 0; lane < PanelRows(n, panel); ++lane) {
      row(panel * kPanel + lane, {codes.data(), scales.data(), mins.data()});
      for (int64_t g = 0; g < groups; ++g) {
        std::byte* block = base + g * group_bytes;
        StoreCodes(codes.data() + g * layout.group, layout, lane, block);
        std::byte* tail = block + kPanel * layout.group * layout.bits / 8;
        StoreScale(scales[static_cast<size_t>(g)], layout.wide_scales, lane, tail);
        if (!layout.has_min) continue;
        tail += kPanel * (layout.wide_scales ? 4 : 2);
        StoreScale(mins[static_cast<size_t>(g)], layout.wide_scales, lane, tail);
      }
    }
  });
}

void UnpackRow(const PackedMatrix& matrix, int64_t row, float* out) {
  const std::byte* base = matrix.panel(row / kPanel);
  const int64_t lane = row % kPanel;
  for (int64_t i = 0; i < matrix.k; ++i) {
    if (matrix.format == PackedFormat::kF32) {
      out[i] = reinterpret_cast<const float*>(base)[i * kPanel + lane];
    } else if (matrix.format == PackedFormat::kBf16) {
      out[i] =
          Bf16ToFloat(reinterpret_cast<const bf16_t*>(base)[(i / 2 * kPanel + lane) * 2 + i % 2]);
    } else {
      const QuantLayout& layout = matrix.quant;
      const std::byte* block = base + i / layout.group * layout.GroupBytes();
      const int code = LoadCode(block, layout, lane, static_cast<int>(i % layout.group));
      const std::byte* scales = block + kPanel * layout.group * layout.bits / 8;
      const float scale = LoadScale(scales, layout.wide_scales, lane);
      const float min = layout.has_min ? LoadScale(scales + kPanel * (layout.wide_scales ? 4 : 2),
                                                   layout.wide_scales, lane)
                                       : 0.0f;
      out[i] = scale * static_cast<float>(code - layout.zero_point) + min;
    }
  }
}

}  // namespace ringlet
