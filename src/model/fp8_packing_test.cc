// How block-scaled FP8 is packed: codes and scales as they are stored, or BF16 beside BF16.
#include "model/packing.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "model/binder.h"
#include "model/test_support.h"

namespace ringlet {
namespace {

constexpr int64_t kCols = 300;  // two whole blocks and a part of one

class Fp8PackingTest : public testing::Test {
 protected:
  // Random codes (finite ones) and scales; `poison` is the code of row 130, column 299.
  void Add(const std::string& name, int64_t rows, uint8_t poison = 0x38) {
    std::vector<std::byte> codes(static_cast<size_t>(rows * kCols));
    for (std::byte& code : codes) {
      code = static_cast<std::byte>(rng_.Below(0x7f) | rng_.Below(2) << 7);
    }
    if (rows > 130) codes[130 * kCols + 299] = std::byte{poison};
    tensors_.AddBytes(name, DType::kF8E4M3, {rows, kCols}, codes);
    const int64_t blocks = (rows + 127) / 128;
    std::vector<float> scales(static_cast<size_t>(blocks * 3));
    for (float& scale : scales) scale = 0.001f + 0.01f * static_cast<float>(rng_.Uniform());
    const auto bytes = std::as_bytes(std::span(scales));
    tensors_.AddBytes(name + "_scale_inv", DType::kF32, {blocks, 3}, {bytes.begin(), bytes.end()});
  }

  Rng rng_{5};
  MemoryTensors tensors_;
  Context context_{IsaChoice::Detect(), 2};
};

TEST_F(Fp8PackingTest, FusedTensorsKeepTheirCodesAndScales) {
  Add("gate", 140);
  Add("up", 77);
  TensorBinder binder(tensors_);
  const MatrixRef fused =
      TensorBinder::Stack({binder.Matrix("gate", 140, kCols), binder.Matrix("up", 77, kCols)});
  ASSERT_TRUE(binder.ok());
  const PackingPlan plan = PlanPacking(fused, ComputeType::kBf16);
  ASSERT_EQ(plan.format, PackedFormat::kFp8);
  const PackedMatrix packed = PackWeights(context_, fused, plan);
  EXPECT_EQ(packed.data.size(), 4u * 64 * (300 + 3 * 4));
  std::vector<float> want(kCols);
  std::vector<float> got(kCols);
  for (int64_t row = 0; row < fused.rows; ++row) {
    fused.DecodeRow(row, want.data());
    UnpackRow(packed, row, got.data());
    ASSERT_EQ(want, got) << "row " << row;
  }
  EXPECT_EQ(PlanPacking(fused, ComputeType::kF32).format, PackedFormat::kF32);
}

TEST_F(Fp8PackingTest, BesideBf16BecomesBf16) {
  Add("gate", 64);
  tensors_.AddZeros("up", DType::kBF16, {32, kCols});
  TensorBinder binder(tensors_);
  const MatrixRef fused =
      TensorBinder::Stack({binder.Matrix("gate", 64, kCols), binder.Matrix("up", 32, kCols)});
  ASSERT_TRUE(binder.ok());
  EXPECT_EQ(PlanPacking(fused, ComputeType::kBf16).format, PackedFormat::kBf16);
}

// A NaN makes its block of its row NaN, which the output of that row is anyhow.
TEST_F(Fp8PackingTest, NanStaysNan) {
  Add("w", 140, 0xff);
  TensorBinder binder(tensors_);
  const MatrixRef matrix = binder.Matrix("w", 140, kCols);
  ASSERT_TRUE(binder.ok());
  const PackedMatrix packed =
      PackWeights(context_, matrix, PlanPacking(matrix, ComputeType::kBf16));
  std::vector<float> row(kCols);
  UnpackRow(packed, 130, row.data());
  EXPECT_TRUE(std::isnan(row[299]));
  EXPECT_FALSE(std::isnan(row[255]));
  UnpackRow(packed, 129, row.data());
  for (const float value : row) ASSERT_FALSE(std::isnan(value));
}

}  // namespace
}  // namespace ringlet
