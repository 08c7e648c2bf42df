#include "tensor/tensor_source.h"

#include <cstring>

#include <gtest/gtest.h>

namespace ringlet {
namespace {

StoredTensor Tensor(DType type, std::vector<int64_t> shape, const std::string& bytes) {
  StoredTensor tensor;
  tensor.name = "t";
  tensor.dtype = type;
  tensor.shape = std::move(shape);
  tensor.data = std::as_bytes(std::span(bytes.data(), bytes.size()));
  return tensor;
}

TEST(StoredTensor, CountsRowsAndElements) {
  const std::string none;
  const StoredTensor cube = Tensor(DType::kF32, {2, 3, 4}, none);
  EXPECT_EQ(cube.elements(), 24);
  EXPECT_EQ(cube.rows(), 6);
  EXPECT_EQ(cube.row_elements(), 4);
  const StoredTensor scalar = Tensor(DType::kF32, {}, none);
  EXPECT_EQ(scalar.elements(), 1);
  EXPECT_EQ(scalar.rows(), 1);
  EXPECT_EQ(scalar.row_elements(), 1);
  const StoredTensor empty = Tensor(DType::kF32, {0, 4}, none);
  EXPECT_EQ(empty.elements(), 0);
  EXPECT_EQ(empty.rows(), 0);
}

TEST(RowBytes, WholeBlocksWithoutOverflow) {
  EXPECT_EQ(RowBytes(DType::kBF16, 5), 10u);
  EXPECT_EQ(RowBytes(DType::kQ4_0, 64), 36u);
  EXPECT_EQ(RowBytes(DType::kQ6_K, 512), 420u);
  EXPECT_EQ(RowBytes(DType::kQ6_K, 0), 0u);
  EXPECT_EQ(RowBytes(DType::kQ4_0, 33), std::nullopt);
  EXPECT_EQ(RowBytes(DType::kQ6_K, 32), std::nullopt);
  EXPECT_EQ(RowBytes(DType::kF64, ~uint64_t{0}), std::nullopt);
  EXPECT_EQ(RowBytes(DType::kF64, uint64_t{1} << 61), std::nullopt);
  EXPECT_EQ(RowBytes(DType::kF64, uint64_t{1} << 60), uint64_t{1} << 63);
}

TEST(DecodeRow, ReadsTheRowAskedFor) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  const std::string bytes(reinterpret_cast<const char*>(values), sizeof(values));
  const StoredTensor tensor = Tensor(DType::kF32, {3, 2}, bytes);
  float row[3] = {-1, -1, -1};
  DecodeRow(tensor, 2, row);
  EXPECT_EQ(row[0], 5);
  EXPECT_EQ(row[1], 6);
  EXPECT_EQ(row[2], -1) << "wrote past the row";
}

TEST(DecodeRow, ConvertsPlainTypes) {
  const std::string bytes("\0\x80\x3f\x00\xc0\x00\x3c\x38\xff", 9);
  float values[2] = {};
  const std::string brain = bytes.substr(1, 4);
  DecodeRow(Tensor(DType::kBF16, {2}, brain), 0, values);
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], -2.0f);
  const std::string half = bytes.substr(5, 2);
  DecodeRow(Tensor(DType::kF16, {1}, half), 0, values);
  EXPECT_EQ(values[0], 1.0f);
  const std::string eight = bytes.substr(7, 2);
  DecodeRow(Tensor(DType::kF8E4M3, {2}, eight), 0, values);
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_TRUE(std::isnan(values[1]));
}

TEST(DecodeRowDeathTest, MisuseIsAProgrammerError) {
  const std::string bytes(16, '\0');
  float out[16];
  EXPECT_DEATH(DecodeRow(Tensor(DType::kF32, {2, 2}, bytes), 2, out), "row out of range");
  EXPECT_DEATH(DecodeRow(Tensor(DType::kF32, {2, 2}, bytes), -1, out), "row out of range");
  EXPECT_DEATH(DecodeRow(Tensor(DType::kF32, {3, 2}, bytes), 2, out), "tensor data too short");
  EXPECT_DEATH(DecodeRow(Tensor(DType::kI32, {2, 2}, bytes), 0, out), "not a floating-point");
}

}  // namespace
}  // namespace ringlet
