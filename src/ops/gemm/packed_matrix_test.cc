#include "ops/gemm/packed_matrix.h"

#include <algorithm>

#include "ops/testing/gemm_weights.h"
#include "ops/testing/guarded_buffer.h"

namespace ringlet {
namespace {

using namespace ringlet::testing;

TEST(PackedMatrixTest, UnpacksWhatWasPacked) {
  Context context(IsaChoice::Detect(), 2);
  Rng rng(9);
  for (const WeightFormat& format : AllWeightFormats()) {
    for (const int64_t n : {1, 63, 64, 65, 200}) {
      const int64_t k = format.is_quant() ? 96 : 261;
      const TestWeights weights = MakeWeights(context, format, n, k, &rng);
      std::vector<float> row(static_cast<size_t>(k));
      for (int64_t i = 0; i < n; ++i) {
        UnpackRow(weights.packed, i, row.data());
        ASSERT_TRUE(SameBits(std::span<const float>(weights.values)
                                 .subspan(static_cast<size_t>(i * k), static_cast<size_t>(k)),
                             std::span<const float>(row)))
            << format.name << " row " << i;
      }
    }
  }
}

TEST(PackedMatrixTest, LayoutsWithKernels) {
  int count = 0;
  for (const int bits : {2, 4, 8}) {
    for (const int group : {8, 16, 32, 64}) {
      for (const bool has_min : {false, true}) {
        for (const ScaleType scales : {ScaleType::kF16, ScaleType::kF32}) {
          count += IsSupported({bits, group, 0, has_min, scales});
        }
      }
    }
  }
  EXPECT_EQ(count, 9);
  EXPECT_TRUE(IsSupported(kInt4Layout));
  EXPECT_FALSE(IsSupported({4, 32, 8, false, ScaleType::kInt8}));
  EXPECT_FALSE(IsSupported({8, 16, 8, false, ScaleType::kInt8}));
  EXPECT_FALSE(IsSupported({4, 16, 8, true, ScaleType::kInt8}));
}

TEST(PackedMatrixTest, SizeIsWhatTheHeaderSays) {
  Context context(IsaChoice::Detect(), 1);
  const auto fill = [](int64_t, float* out) { out[0] = 1.0f; };
  EXPECT_EQ(PackFloat(context, PackedFormat::kF32, 65, 1, fill).data.size(), 2u * 64 * 4);
  EXPECT_EQ(PackFloat(context, PackedFormat::kBf16, 64, 1, fill).data.size(), 64u * 4);
  const QuantLayout q4{.bits = 4, .group = 32, .has_min = true, .scales = ScaleType::kF16};
  EXPECT_EQ(q4.GroupBytes(), 64 * 16 + 64 * 2 + 64 * 2);
  const QuantLayout q8{.bits = 8, .group = 16, .has_min = false, .scales = ScaleType::kF32};
  EXPECT_EQ(q8.GroupBytes(), 64 * 16 + 64 * 4);
  const PackedMatrix fp8 = PackFp8(context, 65, 131, [](int64_t, const Fp8Row& row) {
    std::fill_n(row.codes, 131, uint8_t{0});
    std::fill_n(row.scales, 2, 1.0f);
  });
  EXPECT_EQ(fp8.data.size(), 2u * (64 * 128 + 64 * 4 + 64 * 4 + 64 * 4));
  // 4.5 bits per weight and 4 bytes per output.
  EXPECT_EQ(kInt4Layout.PanelBytes(2048), 64 * 2048 * 9 / 16 + 64 * 4);
  EXPECT_EQ(kInt4Layout.PanelBytes(32) % 64, 0);
}

}  // namespace
}  // namespace ringlet
