// Random weight matrices in every packed format, with the values and magnitudes that a test needs.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "ops/gemm/packed_matrix.h"
#include "ops/testing/random.h"
#include "tensor/dtype.h"

namespace ringlet::testing {

struct WeightFormat {
  std::string name;
  PackedFormat format = PackedFormat::kF32;
  QuantLayout quant;

  bool is_quant() const { return format == PackedFormat::kQuant; }
  // K must be a multiple of this.
  int64_t k_step() const { return is_quant() ? kQuantGroup : 1; }
};

// Every format and layout that kernels are compiled for, with zero points and minimums as GGUF's
// block types have them.
inline std::vector<WeightFormat> AllWeightFormats() {
  std::vector<WeightFormat> formats = {{"f32", PackedFormat::kF32, {}},
                                       {"bf16", PackedFormat::kBf16, {}},
                                       {"fp8", PackedFormat::kFp8, {}}};
  const auto add = [&](int bits, int group, int zero, bool has_min, ScaleType scales) {
    const QuantLayout layout = {bits, group, zero, has_min, scales};
    if (!IsSupported(layout)) return;
    const std::string name = "q" + std::to_string(bits) + "_group" + std::to_string(group) +
                             "_zero" + std::to_string(zero) + (has_min ? "_min" : "") +
                             (scales == ScaleType::kF32 ? "_wide" : "");
    formats.push_back({name, PackedFormat::kQuant, layout});
  };
  for (const ScaleType scales : {ScaleType::kF16, ScaleType::kF32}) {
    for (const bool has_min : {false, true}) {
      for (const int zero : {0, 8}) add(4, 32, zero, has_min, scales);
      for (const int group : {16, 32}) {
        for (const int zero : {0, 32}) add(8, group, zero, has_min, scales);
      }
    }
  }
  formats.push_back({"int4", PackedFormat::kQuant, kInt4Layout});
  return formats;
}

struct TestWeights {
  PackedMatrix packed;
  // [n, k]: the values that were packed (rounded to the format), and |scale * (code - zero)| +
  // |min| for quantized formats or |value| for others: the magnitude of what is added up.
  std::vector<float> values;
  std::vector<float> magnitudes;
};

inline float RoundScale(float value, ScaleType type) {
  return type == ScaleType::kF16 ? F16ToFloat(FloatToF16(value)) : value;
}

// MakeWeights for kFp8: every code but NaN, scales of their own for every output and block.
inline TestWeights MakeFp8Weights(Context& context, int64_t n, int64_t k, Rng* rng, bool exact) {
  TestWeights out;
  const int64_t blocks = (k + kFp8Block - 1) / kFp8Block;
  std::vector<uint8_t> codes(static_cast<size_t>(n * k));
  std::vector<float> scales(static_cast<size_t>(n * blocks));
  for (uint8_t& code : codes) {
    const auto magnitude = static_cast<uint8_t>(Between(rng, 0, 0x7e));
    code = exact ? FloatToF8E4M3(static_cast<float>(Between(rng, -8, 8)))
                 : static_cast<uint8_t>(magnitude | Between(rng, 0, 1) << 7);
  }
  for (size_t i = 0; i < scales.size(); ++i) {
    scales[i] = exact ? (i % 2 == 0 ? 0.5f : -1.0f) : static_cast<float>(rng->Normal() * 0.01);
  }
  for (int64_t i = 0; i < n * k; ++i) {
    const float scale = scales[static_cast<size_t>(i / k * blocks + i % k / kFp8Block)];
    out.values.push_back(scale * F8E4M3ToFloat(codes[static_cast<size_t>(i)]));
    out.magnitudes.push_back(std::abs(out.values.back()));
  }
  out.packed = PackFp8(context, n, k, [&](int64_t row, const Fp8Row& to) {
    std::copy_n(codes.data() + row * k, k, to.codes);
    std::copy_n(scales.data() + row * blocks, blocks, to.scales);
  });
  return out;
}

// `exact` makes small integers (times powers of two), so that every product and sum is exact.
inline TestWeights MakeWeights(Context& context, const WeightFormat& format, int64_t n, int64_t k,
                               Rng* rng, bool exact = false) {
  if (format.format == PackedFormat::kFp8) return MakeFp8Weights(context, n, k, rng, exact);
  TestWeights out;
  const auto size = static_cast<size_t>(n * k);
  out.values.resize(size);
  out.magnitudes.resize(size);
  if (!format.is_quant()) {
    for (size_t i = 0; i < size; ++i) {
      float value = exact ? static_cast<float>(Between(rng, -8, 8)) : float(rng->Normal());
      if (format.format == PackedFormat::kBf16) value = Bf16ToFloat(FloatToBf16(value));
      out.values[i] = value;
      out.magnitudes[i] = std::abs(value);
    }
    out.packed = PackFloat(context, format.format, n, k, [&](int64_t row, float* values) {
      std::copy_n(out.values.data() + row * k, k, values);
    });
    return out;
  }
  const QuantLayout& layout = format.quant;
  const int64_t groups = k / layout.group;
  std::vector<int8_t> codes(size);
  std::vector<float> scales(static_cast<size_t>(n * groups));
  std::vector<float> mins(scales.size());
  for (int8_t& code : codes) {
    code = static_cast<int8_t>(layout.bits == 4 ? Between(rng, 0, 15) : Between(rng, -128, 127));
  }
  std::vector<float> multipliers(static_cast<size_t>(n), 1.0f);
  for (size_t i = 0; i < scales.size(); ++i) {
    if (layout.scales == ScaleType::kInt8) {
      scales[i] = static_cast<float>(Between(rng, exact ? -3 : -128, exact ? 3 : 127));
      continue;
    }
    scales[i] = exact ? (i % 2 == 0 ? 0.5f : -1.0f) : static_cast<float>(rng->Normal() * 0.01);
    mins[i] = exact ? static_cast<float>(Between(rng, -8, 8)) : static_cast<float>(rng->Normal());
  }
  if (layout.scales == ScaleType::kInt8) {
    for (float& m : multipliers) m = std::ldexp(1.0f, static_cast<int>(Between(rng, -14, -10)));
  }
  for (size_t i = 0; i < size; ++i) {
    const size_t g = i / static_cast<size_t>(layout.group);
    const float scaled = RoundScale(scales[g], layout.scales) *
                         multipliers[i / static_cast<size_t>(k)] *
                         static_cast<float>(codes[i] - layout.zero_point);
    const float min = layout.has_min ? RoundScale(mins[g], layout.scales) : 0.0f;
    out.values[i] = scaled + min;
    out.magnitudes[i] = std::abs(scaled) + std::abs(min);
  }
  out.packed = PackQuant(context, layout, n, k, [&](int64_t row, const QuantRow& to) {
    std::copy_n(codes.data() + row * k, k, to.codes);
    std::copy_n(scales.data() + row * groups, groups, to.scales);
    std::copy_n(mins.data() + row * groups, groups, to.mins);
    *to.multiplier = multipliers[static_cast<size_t>(row)];
  });
  return out;
}

}  // namespace ringlet::testing
