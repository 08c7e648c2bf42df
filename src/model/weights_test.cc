// MatrixRef: rows of several tensors, FP8 block scales, and interleaved heads.
#include "model/weights.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "model/test_support.h"

namespace ringlet {
namespace {

std::vector<float> Row(const MatrixRef& matrix, int64_t row) {
  std::vector<float> out(static_cast<size_t>(matrix.cols) + 1, 777.0f);
  matrix.DecodeRow(row, out.data());
  EXPECT_EQ(out.back(), 777.0f) << "wrote past the row";
  out.pop_back();
  return out;
}

// Value 100 * row + column, so that a row says where it came from.
std::vector<float> Numbered(int64_t rows, int64_t cols, float first) {
  std::vector<float> out;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) out.push_back(first + static_cast<float>(100 * r + c));
  }
  return out;
}

TEST(MatrixRef, StacksRowsOfSeveralTensors) {
  MemoryTensors tensors;
  tensors.AddFloats("a", {2, 3}, Numbered(2, 3, 0));
  tensors.AddFloats("b", {1, 3}, Numbered(1, 3, 1000));
  tensors.AddFloats("c", {3, 3}, Numbered(3, 3, 2000));
  TensorBinder binder(tensors);
  const MatrixRef m = TensorBinder::Stack(
      {binder.Matrix("a", 2, 3), binder.Matrix("b", 1, 3), binder.Matrix("c", 3, 3)});
  ASSERT_TRUE(binder.Finish({}).ok());
  EXPECT_EQ(m.rows, 6);
  EXPECT_EQ(m.cols, 3);
  EXPECT_EQ(m.dtype(), DType::kF32);
  EXPECT_EQ(Row(m, 1), (std::vector<float>{100, 101, 102}));
  EXPECT_EQ(Row(m, 2), (std::vector<float>{1000, 1001, 1002}));
  EXPECT_EQ(Row(m, 3), (std::vector<float>{2000, 2001, 2002}));
  EXPECT_EQ(Row(m, 5), (std::vector<float>{2200, 2201, 2202}));
}

TEST(MatrixRef, MixedTypesHaveNoDtype) {
  MemoryTensors tensors;
  tensors.AddZeros("a", DType::kF32, {2, 32});
  tensors.AddZeros("b", DType::kQ8_0, {2, 32});
  TensorBinder binder(tensors);
  const MatrixRef m = TensorBinder::Stack({binder.Matrix("a", 2, 32), binder.Matrix("b", 2, 32)});
  EXPECT_EQ(m.dtype(), std::nullopt);
  EXPECT_EQ(MatrixRef().dtype(), std::nullopt);
  EXPECT_FALSE(MatrixRef().present());
}

TEST(MatrixRef, SlicesOfThreeDimensions) {
  MemoryTensors tensors;
  tensors.AddFloats("experts", {3, 2, 2}, Numbered(6, 2, 0));
  TensorBinder binder(tensors);
  const MatrixRef second = binder.Slice("experts", 3, 1, 2, 2);
  ASSERT_TRUE(binder.Finish({}).ok());
  EXPECT_EQ(Row(second, 0), (std::vector<float>{200, 201}));
  EXPECT_EQ(Row(second, 1), (std::vector<float>{300, 301}));
}

// Rows of each head are stored 0, d/2, 1, d/2+1, ...: reshaping [2, d/2] to [d/2, 2].
TEST(MatrixRef, UndoesInterleavedHeads) {
  constexpr int64_t kHeads = 3;
  constexpr int64_t kDim = 6;
  std::vector<float> stored(kHeads * kDim);
  for (int64_t h = 0; h < kHeads; ++h) {
    for (int64_t half = 0; half < 2; ++half) {
      for (int64_t i = 0; i < kDim / 2; ++i) {
        stored[static_cast<size_t>(h * kDim + 2 * i + half)] =
            static_cast<float>(h * kDim + half * kDim / 2 + i);
      }
    }
  }
  MemoryTensors tensors;
  tensors.AddFloats("q", {kHeads * kDim, 1}, stored);
  TensorBinder binder(tensors);
  const MatrixRef m = binder.InterleavedMatrix("q", kHeads * kDim, 1, kDim);
  for (int64_t r = 0; r < m.rows; ++r) EXPECT_EQ(Row(m, r)[0], static_cast<float>(r));
}

// 300 x 200: blocks of 128 with ragged edges in both directions.
TEST(MatrixRef, Fp8BlockScales) {
  constexpr int64_t kRows = 300;
  constexpr int64_t kCols = 200;
  Rng rng(1);
  std::vector<std::byte> codes(kRows * kCols);
  for (std::byte& code : codes) code = std::byte(rng.Below(0x7f) | (rng.Below(2) << 7));
  const std::vector<float> scales = {0.5f, 3.0f, 0.125f, 7.0f, 11.0f, 0.75f};  // [3, 2]
  for (const DType type : {DType::kF32, DType::kBF16}) {
    MemoryTensors tensors;
    tensors.AddBytes("w", DType::kF8E4M3, {kRows, kCols}, codes);
    if (type == DType::kF32) {
      tensors.AddFloats("w_scale_inv", {3, 2}, scales);
    } else {
      std::vector<std::byte> bytes;
      for (const float scale : scales) {
        const bf16_t bits = FloatToBf16(scale);
        bytes.push_back(std::byte(bits & 0xff));
        bytes.push_back(std::byte(bits >> 8));
      }
      tensors.AddBytes("w_scale_inv", DType::kBF16, {3, 2}, bytes);
    }
    TensorBinder binder(tensors);
    const MatrixRef m = binder.Matrix("w", kRows, kCols);
    ASSERT_TRUE(binder.Finish({}).ok());
    for (const int64_t r : {0, 127, 128, 255, 256, 299}) {
      const std::vector<float> row = Row(m, r);
      for (int64_t c = 0; c < kCols; ++c) {
        const float code =
            F8E4M3ToFloat(static_cast<uint8_t>(codes[static_cast<size_t>(r * kCols + c)]));
        const float scale = scales[static_cast<size_t>(r / 128 * 2 + c / 128)];
        ASSERT_EQ(row[static_cast<size_t>(c)], code * scale) << r << "," << c;
      }
    }
  }
}

TEST(MatrixRefDeathTest, RowOutOfRange) {
  MemoryTensors tensors;
  tensors.AddZeros("a", DType::kF32, {2, 3});
  TensorBinder binder(tensors);
  const MatrixRef m = binder.Matrix("a", 2, 3);
  float out[3];
  EXPECT_DEATH(m.DecodeRow(2, out), "row out of range");
  EXPECT_DEATH(m.DecodeRow(-1, out), "row out of range");
}

}  // namespace
}  // namespace ringlet
