// Every block format, alone and stacked with every other one, meets a layout that has kernels and
// keeps its numbers.
#include "model/packing.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "model/packed_layout.h"
#include "model/test_support.h"
#include "tensor/block_codes.h"

namespace ringlet {
namespace {

constexpr int64_t kCols = 512;
constexpr int64_t kRows = 3;
constexpr DType kBlocks[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                             DType::kQ8_0, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

// Rows of blocks of random bytes without the upper two bits, so that every fp16 number in them is
// finite.
std::shared_ptr<MemoryTensors> RandomBlocks() {
  auto tensors = std::make_shared<MemoryTensors>();
  Rng rng(3);
  for (const DType type : kBlocks) {
    std::vector<std::byte> bytes(kRows * RowBytes(type, kCols).value());
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.Below(64));
    tensors->AddBytes(std::string(Name(type)), type, {kRows, kCols}, bytes);
  }
  return tensors;
}

TEST(PackingTest, EveryPairOfBlockFormatsHasAKernel) {
  const auto tensors = RandomBlocks();
  Context context(IsaChoice::Detect(), 1);
  std::set<std::string> layouts;
  std::vector<float> want(kCols);
  std::vector<float> got(kCols);
  for (const DType first : kBlocks) {
    for (const DType second : kBlocks) {
      MatrixRef matrix{.rows = 2 * kRows, .cols = kCols, .segments = {}};
      for (const DType type : {first, second}) {
        matrix.segments.push_back({.tensor = tensors->Find(Name(type)), .rows = kRows});
      }
      const PackingPlan plan = PlanPacking(matrix, ComputeType::kBf16);
      ASSERT_EQ(plan.format, PackedFormat::kQuant);
      const std::string layout = LayoutName(plan.format, plan.quant);
      EXPECT_TRUE(IsSupported(plan.quant)) << layout;
      EXPECT_TRUE(ParseLayoutName(layout).has_value()) << layout;
      layouts.insert(layout);
      const PackedMatrix packed = PackWeights(context, matrix, plan);
      for (int64_t row = 0; row < matrix.rows; ++row) {
        matrix.DecodeRow(row, want.data());
        UnpackRow(packed, row, got.data());
        ASSERT_EQ(got, want) << Name(first) << " " << Name(second) << " row " << row;
      }
    }
  }
  EXPECT_GT(layouts.size(), 5u);
}

}  // namespace
}  // namespace ringlet
