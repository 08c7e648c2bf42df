// NaN, infinity and extreme codes, in weights and in inputs.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/gemm/gemm.h"
#include "ops/testing/gemm_product.h"
#include "ops/testing/gemm_weights.h"
#include "ops/testing/isa_list.h"
#include "ops/testing/random.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

class GemmSpecialValuesTest : public IsaTest {};

// Extreme codes everywhere: integer dot products must not saturate.
TEST_P(GemmSpecialValuesTest, ExtremeCodesDoNotSaturate) {
  Context context(isa(), 1);
  for (const WeightFormat& format : AllWeightFormats()) {
    if (!format.is_quant()) continue;
    const QuantLayout& layout = format.quant;
    const int64_t k = 64;
    for (const int code : {layout.bits == 4 ? 0 : -128, layout.bits == 4 ? 15 : 127}) {
      const PackedMatrix packed =
          PackQuant(context, layout, 65, k, [&](int64_t, const QuantRow& out) {
            std::fill_n(out.codes, k, static_cast<int8_t>(code));
            std::fill_n(out.scales, k / layout.group, 1.0f);
            std::fill_n(out.mins, k / layout.group, 0.0f);
            *out.multiplier = 1.0f;
          });
      for (const float value : {127.0f, -127.0f}) {
        const std::vector<float> x(static_cast<size_t>(5 * k), value);
        for (const float got : Product(context, packed, x, 5)) {
          ASSERT_EQ(got, value * static_cast<float>((code - layout.zero_point) * k))
              << format.name << " code " << code;
        }
      }
    }
  }
}

TEST_P(GemmSpecialValuesTest, NanInputReachesItsRowAndNoOther) {
  Context context(isa(), 1);
  Rng rng(3);
  for (const WeightFormat& format : AllWeightFormats()) {
    const int64_t k = 96;
    const int64_t n = 70;
    const TestWeights weights = MakeWeights(context, format, n, k, &rng);
    for (const int64_t rows : {1, 4, 7}) {
      std::vector<float> x = NormalFloats(&rng, rows * k);
      const std::vector<float> clean = Product(context, weights.packed, x, rows);
      for (const int64_t column : {0, 31, 50, 95}) {
        std::vector<float> dirty = x;
        const int64_t bad = rows / 2;
        dirty[static_cast<size_t>(bad * k + column)] = kNan;
        const std::vector<float> got = Product(context, weights.packed, dirty, rows);
        for (int64_t i = 0; i < rows * n; ++i) {
          const auto at = static_cast<size_t>(i);
          if (i / n == bad) {
            ASSERT_TRUE(std::isnan(got[at])) << format.name << " column " << column;
          } else {
            ASSERT_EQ(got[at], clean[at]) << format.name << " column " << column;
          }
        }
      }
    }
  }
}

TEST_P(GemmSpecialValuesTest, InfiniteInputs) {
  Context context(isa(), 1);
  Rng rng(4);
  for (const WeightFormat& format : AllWeightFormats()) {
    const int64_t k = 64;
    const int64_t n = 66;
    const TestWeights weights = MakeWeights(context, format, n, k, &rng);
    std::vector<float> x = NormalFloats(&rng, 3 * k);
    x[static_cast<size_t>(k + 5)] = kInf;
    const std::vector<float> got = Product(context, weights.packed, x, 3);
    for (int64_t i = 0; i < 3 * n; ++i) {
      const float value = got[static_cast<size_t>(i)];
      if (i / n != 1) {
        ASSERT_TRUE(std::isfinite(value)) << format.name;
      } else if (format.is_quant()) {
        ASSERT_TRUE(std::isnan(value)) << format.name;
      } else {
        const float w = weights.values[static_cast<size_t>((i - n) * k + 5)];
        if (w == 0) {
          ASSERT_TRUE(std::isnan(value)) << format.name;
        } else {
          ASSERT_EQ(value, w > 0 ? kInf : -kInf) << format.name;
        }
      }
    }
  }
}

TEST_P(GemmSpecialValuesTest, NanWeightReachesItsOutputAndNoOther) {
  Context context(isa(), 1);
  Rng rng(5);
  for (const PackedFormat format : {PackedFormat::kF32, PackedFormat::kBf16}) {
    const int64_t k = 33;
    const int64_t n = 67;
    const std::vector<float> x = NormalFloats(&rng, 8 * k);
    const PackedMatrix packed = PackFloat(context, format, n, k, [&](int64_t row, float* out) {
      std::fill_n(out, k, 1.0f);
      if (row == 65) out[k - 1] = kNan;
    });
    const std::vector<float> got = Product(context, packed, x, 8);
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(std::isnan(got[i]), i % static_cast<size_t>(n) == 65) << i;
    }
  }
  const QuantLayout layout{.bits = 8, .group = 16, .has_min = true, .scales = ScaleType::kF32};
  const int64_t n = 67;
  const PackedMatrix packed =
      PackQuant(context, layout, n, 64, [&](int64_t row, const QuantRow& to) {
        std::fill_n(to.codes, 64, static_cast<int8_t>(3));
        std::fill_n(to.scales, 4, 1.0f);
        std::fill_n(to.mins, 4, 0.0f);
        if (row == 1) to.scales[3] = kNan;
        if (row == 66) to.mins[0] = kNan;
      });
  const std::vector<float> got = Product(context, packed, NormalFloats(&rng, 8 * 64), 8);
  for (size_t i = 0; i < got.size(); ++i) {
    const size_t column = i % static_cast<size_t>(n);
    ASSERT_EQ(std::isnan(got[i]), column == 1 || column == 66) << i;
  }
}

// In either place of a pair, first and last of a block, on the way of few rows and of many.
TEST_P(GemmSpecialValuesTest, EveryFp8CodeIsExact) {
  Context context(isa(), 1);
  const int64_t n = 256;
  for (const int64_t k : {1, 2, 129}) {
    for (const int64_t at : {int64_t{0}, k - 1}) {
      const PackedMatrix packed = PackFp8(context, n, k, [&](int64_t row, const Fp8Row& to) {
        std::fill_n(to.codes, k, uint8_t{0});
        std::fill_n(to.scales, (k + kFp8Block - 1) / kFp8Block, 0x1p-3f);
        to.codes[at] = static_cast<uint8_t>(row);
      });
      for (const int64_t rows : {1, 2, 6, 13}) {
        std::vector<float> x(static_cast<size_t>(rows * k), 0.0f);
        for (int64_t r = 0; r < rows; ++r) x[static_cast<size_t>(r * k + at)] = 2.0f;
        const std::vector<float> got = Product(context, packed, x, rows);
        for (size_t i = 0; i < got.size(); ++i) {
          const float want = F8E4M3ToFloat(static_cast<uint8_t>(i)) * 0.25f;
          if (std::isnan(want)) {
            ASSERT_TRUE(std::isnan(got[i])) << "code " << i % 256;
          } else {
            ASSERT_EQ(got[i], want) << "code " << i % 256 << " rows " << rows << " k " << k;
          }
        }
      }
    }
  }
}

TEST_P(GemmSpecialValuesTest, Fp8NanReachesItsOutputAndNoOther) {
  Context context(isa(), 1);
  Rng rng(10);
  const int64_t k = 200;
  const int64_t n = 67;
  const PackedMatrix packed = PackFp8(context, n, k, [&](int64_t row, const Fp8Row& to) {
    std::fill_n(to.codes, k, uint8_t{0x38});
    std::fill_n(to.scales, 2, 1.0f);
    if (row == 1) to.codes[0] = 0x7f;
    if (row == 30) to.scales[1] = kNan;
    if (row == 66) to.codes[k - 1] = 0xff;
  });
  for (const int64_t rows : {1, 4, 9}) {
    const std::vector<float> got = Product(context, packed, NormalFloats(&rng, rows * k), rows);
    for (size_t i = 0; i < got.size(); ++i) {
      const size_t column = i % static_cast<size_t>(n);
      ASSERT_EQ(std::isnan(got[i]), column == 1 || column == 30 || column == 66) << i;
    }
  }
}

RINGLET_INSTANTIATE_ISAS(GemmSpecialValuesTest);

}  // namespace
}  // namespace ringlet
