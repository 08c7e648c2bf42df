#include "bench/case_data.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/dtype.h"

namespace ringlet {
namespace {

void FillQuantRow(Rng* rng, const QuantLayout& layout, int64_t k, const QuantRow& out) {
  for (int64_t i = 0; i < k; ++i) {
    const uint64_t code = rng->Below(layout.bits == 4 ? 16 : 255);
    out.codes[i] = static_cast<int8_t>(layout.bits == 4 ? static_cast<int>(code)
                                                        : static_cast<int>(code) - 127);
  }
  const bool integer = layout.scales == ScaleType::kInt8;
  for (int64_t g = 0; g < k / layout.group; ++g) {
    out.scales[g] = integer ? static_cast<float>(64 + rng->Below(64)) : 0.01f;
    if (layout.has_min) out.mins[g] = -0.05f;
  }
  *out.multiplier = 0x1p-13f;
}

// A matrix of one panel.
PackedMatrix RandomPanel(Context& context, const MatrixShape& shape) {
  if (shape.format == PackedFormat::kQuant) {
    return PackQuant(context, shape.quant, kPanel, shape.k, [&](int64_t row, const QuantRow& out) {
      Rng rng(static_cast<uint64_t>(row));
      FillQuantRow(&rng, shape.quant, shape.k, out);
    });
  }
  if (shape.format == PackedFormat::kFp8) {
    return PackFp8(context, kPanel, shape.k, [&](int64_t row, const Fp8Row& out) {
      Rng rng(static_cast<uint64_t>(row));
      for (int64_t i = 0; i < shape.k; ++i) {
        out.codes[i] = FloatToF8E4M3(static_cast<float>(rng.Normal()) * 100.0f);
      }
      std::fill_n(out.scales, (shape.k + kFp8Block - 1) / kFp8Block, 0.0002f);
    });
  }
  return PackFloat(context, shape.format, kPanel, shape.k, [&](int64_t row, float* out) {
    Rng rng(static_cast<uint64_t>(row));
    for (int64_t i = 0; i < shape.k; ++i) out[i] = static_cast<float>(rng.Normal()) * 0.02f;
  });
}

}  // namespace

int64_t CopiesOf(double bytes, int64_t set) {
  const double copies = static_cast<double>(set) / std::max(bytes, 1.0);
  return static_cast<int64_t>(copies) + 1;
}

std::vector<float> RandomFloats(Rng* rng, int64_t count, float deviation) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng->Normal()) * deviation;
  return values;
}

std::vector<PackedMatrix> RandomMatrices(Context& context, const MatrixShape& shape,
                                         int64_t count) {
  const PackedMatrix panel = RandomPanel(context, shape);
  PackedMatrix matrix = panel;
  matrix.n = shape.n;
  const auto bytes = static_cast<size_t>(matrix.panel_bytes);
  std::vector<PackedMatrix> matrices;
  for (int64_t i = 0; i < count; ++i) {
    AlignedBuffer<std::byte> data(bytes * static_cast<size_t>(matrix.panels()));
    context.pool.ParallelFor(matrix.panels(), [&](int64_t p, int) {
      std::memcpy(data.data() + static_cast<size_t>(p) * bytes, panel.data.data(), bytes);
    });
    matrix.data = SharedBytes(std::move(data));
    matrices.push_back(matrix);
  }
  return matrices;
}

RandomBlocks::RandomBlocks(Context& context, const KvLayout& kv, int64_t blocks)
    : block_bytes_(kv.block_bytes()), data_(static_cast<size_t>(blocks * block_bytes_)) {
  // One block of numbers, then copies.
  Rng rng(1);
  std::byte* first = data_.data();
  for (int64_t i = 0; i < block_bytes_; i += KvElementBytes(kv.type)) {
    const auto value = static_cast<float>(rng.Normal());
    const bf16_t narrow = FloatToBf16(value);
    const auto code = static_cast<int8_t>(static_cast<int>(rng.Below(255)) - 127);
    if (kv.type == KvType::kF32) std::memcpy(first + i, &value, sizeof(value));
    if (kv.type == KvType::kBf16) std::memcpy(first + i, &narrow, sizeof(narrow));
    if (kv.type == KvType::kInt8) std::memcpy(first + i, &code, sizeof(code));
  }
  if (kv.type == KvType::kInt8) {
    const std::vector<bf16_t> scales(kBlockPositions, FloatToBf16(1.0f / 73.0f));
    for (int64_t head = 0; head < kv.kv_heads; ++head) {
      std::memcpy(first + kv.key_scales(head), scales.data(), scales.size() * sizeof(bf16_t));
      std::memcpy(first + kv.value_scales(head), scales.data(), scales.size() * sizeof(bf16_t));
    }
  }
  context.pool.ParallelFor(blocks - 1, [&](int64_t i, int) {
    std::memcpy(block(i + 1), first, static_cast<size_t>(block_bytes_));
  });
}

std::vector<const std::byte*> RandomBlocks::Pointers(int64_t first, int64_t count) const {
  std::vector<const std::byte*> pointers;
  for (int64_t i = first; i < first + count; ++i)
    pointers.push_back(data_.data() + i * block_bytes_);
  return pointers;
}

}  // namespace ringlet
