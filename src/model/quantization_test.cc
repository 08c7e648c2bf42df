// Packed integer checkpoints: configuration, companions, and the numbers they decode to.
#include "model/quantization.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "model/binder.h"
#include "model/packing.h"
#include "model/quantize_row.h"
#include "model/test_support.h"

namespace ringlet {
namespace {

constexpr std::string_view kConfig = R"({"quant_method": "compressed-tensors",
  "format": "pack-quantized", "kv_cache_scheme": null, "moe_sparsity_config": null,
  "ignore": ["lm_head", "re:.*mlp\\.gate$"],
  "config_groups": {
    "head": {"targets": ["re:out.*"], "weights": {"num_bits": 8, "group_size": 32,
             "strategy": "group", "type": "int"}},
    "rest": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 16,
             "strategy": "group", "type": "int", "symmetric": true, "actorder": null}}}})";

Json Patched(std::string_view patch) {
  Json json = ParseJson(kConfig, "config").value();
  json.merge_patch(ParseJson(patch, "patch").value());
  return json;
}

std::string ErrorOf(std::string_view patch) {
  const auto parsed = PackQuantized::Parse(Patched(patch), "config.json");
  return parsed.ok() ? "" : parsed.status().message();
}

TEST(PackQuantizedTest, FindsTheSchemeOfAModule) {
  const auto config = PackQuantized::Parse(Patched("{}"), "config.json").value();
  EXPECT_EQ(config.SchemeOf("out.proj").value()->bits, 8);
  const PackedScheme* rest = config.SchemeOf("model.layers.0.mlp.up_proj").value();
  ASSERT_NE(rest, nullptr);
  EXPECT_EQ(rest->bits, 4);
  EXPECT_EQ(rest->group, 16);
  EXPECT_EQ(config.SchemeOf("lm_head").value(), nullptr);
  EXPECT_EQ(config.SchemeOf("model.layers.3.mlp.gate").value(), nullptr);
}

TEST(PackQuantizedTest, RefusesWhatItDoesNotImplement) {
  const auto weights = [](const std::string& patch) {
    return ErrorOf(R"({"config_groups": {"rest": {"weights": )" + patch + "}}}");
  };
  EXPECT_EQ(ErrorOf("{}"), "");
  EXPECT_NE(weights(R"({"actorder": "group"})").find("actorder"), std::string::npos);
  EXPECT_EQ(weights(R"({"actorder": "weight"})"), "");
  EXPECT_NE(weights(R"({"num_bits": 3})").find("num_bits"), std::string::npos);
  EXPECT_NE(weights(R"({"group_size": 48})").find("group_size"), std::string::npos);
  EXPECT_NE(weights(R"({"strategy": "block"})").find("strategy"), std::string::npos);
  EXPECT_NE(weights(R"({"type": "float"})").find("type"), std::string::npos);
  EXPECT_NE(weights(R"({"surprise": 1})").find("surprise"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"format": "marlin-24"})").find("format"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"moe_sparsity_config": {"ratio": 0.5}})").find("moe_sparsity"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"kv_cache_scheme": {"num_bits": 8}})").find("kv_cache"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"config_groups": {"rest": {"input_activations": {"num_bits": 8}}}})")
                .find("input_activations"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"config_groups": null})").find("config_groups"), std::string::npos);
  EXPECT_NE(ErrorOf(R"({"ignore": "lm_head"})").find("ignore"), std::string::npos);
}

std::vector<float> Gaussian(int64_t count) {
  Rng rng(7);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = 0.02f * static_cast<float>(rng.Normal());
  return values;
}

constexpr int64_t kRows = 6;
constexpr int64_t kCols = 64;

// "a.weight" of kRows x kCols as 4-bit codes in groups of 16, and what the codes mean.
std::shared_ptr<MemoryTensors> PackedExample(std::vector<float>* meaning) {
  const std::vector<float> values = Gaussian(kRows * kCols);
  std::vector<std::byte> packed;
  std::vector<bf16_t> scales(kRows * kCols / 16);
  std::vector<int8_t> codes(kCols);
  for (int64_t row = 0; row < kRows; ++row) {
    bf16_t* row_scales = scales.data() + row * kCols / 16;
    QuantizeInt4Row(IsaChoice::Detect(), {values.data() + row * kCols, kCols}, {}, 16, codes.data(),
                    row_scales);
    for (size_t i = 0; i < kCols; i += 2) {
      packed.push_back(static_cast<std::byte>((codes[i] + 8) | (codes[i + 1] + 8) << 4));
    }
    for (size_t i = 0; i < kCols; ++i) {
      meaning->push_back(Bf16ToFloat(row_scales[i / 16]) * static_cast<float>(codes[i]));
    }
  }
  auto tensors = std::make_shared<MemoryTensors>();
  const auto bytes = [](const auto& values_of) {
    const auto view = std::as_bytes(std::span(values_of));
    return std::vector<std::byte>(view.begin(), view.end());
  };
  tensors->AddBytes("a.weight_packed", DType::kI32, {kRows, kCols / 8}, packed);
  tensors->AddBytes("a.weight_scale", DType::kBF16, {kRows, kCols / 16}, bytes(scales));
  tensors->AddBytes("a.weight_shape", DType::kI64, {2}, bytes(std::vector<int64_t>{kRows, kCols}));
  return tensors;
}

std::string MergeError(const std::shared_ptr<MemoryTensors>& tensors) {
  const auto config = PackQuantized::Parse(Patched("{}"), "config.json").value();
  const auto merged = MergePacked(config, tensors);
  return merged.ok() ? "" : merged.status().message();
}

TEST(MergePackedTest, BindsAndPacksTheCodes) {
  std::vector<float> meaning;
  const auto config = PackQuantized::Parse(Patched("{}"), "config.json").value();
  const auto merged = MergePacked(config, PackedExample(&meaning)).value();
  TensorBinder binder(*merged);
  const MatrixRef matrix = binder.Matrix("a.weight", kRows, kCols);
  ASSERT_TRUE(binder.Finish({}).ok()) << binder.Finish({}).message();
  const PackingPlan plan = PlanPacking(matrix, ComputeType::kBf16);
  ASSERT_EQ(plan.format, PackedFormat::kQuant);
  EXPECT_EQ(plan.quant.scales, ScaleType::kInt8);
  EXPECT_EQ(plan.quant.bits, 4);
  Context context(IsaChoice::Detect(), 2);
  const PackedMatrix packed = PackWeights(context, matrix, plan);
  std::vector<float> row(kCols);
  for (int64_t r = 0; r < kRows; ++r) {
    const std::vector<float> expected(meaning.begin() + r * kCols,
                                      meaning.begin() + (r + 1) * kCols);
    matrix.DecodeRow(r, row.data());
    EXPECT_EQ(row, expected);
    UnpackRow(packed, r, row.data());
    EXPECT_EQ(row, expected);
  }
}

TEST(MergePackedTest, NamesWhatIsMissingOrMisshapen) {
  std::vector<float> meaning;
  const auto original = PackedExample(&meaning);
  EXPECT_EQ(MergeError(original), "");
  for (const char* name : {"a.weight_scale", "a.weight_shape"}) {
    auto tensors = std::make_shared<MemoryTensors>(*original);
    tensors->Remove(name);
    EXPECT_NE(MergeError(tensors).find(name), std::string::npos) << MergeError(tensors);
  }
  const auto with = [&](const char* name, DType type, std::vector<int64_t> shape) {
    auto tensors = std::make_shared<MemoryTensors>(*original);
    tensors->AddZeros(name, type, std::move(shape));
    return MergeError(tensors);
  };
  EXPECT_NE(with("a.weight_scale", DType::kBF16, {kRows, 3}).find("weight_scale"),
            std::string::npos);
  EXPECT_NE(with("a.weight_packed", DType::kI32, {kRows, 7}).find("weight_packed"),
            std::string::npos);
  EXPECT_NE(with("a.weight_shape", DType::kI64, {2}).find("weight_shape"), std::string::npos);
  EXPECT_NE(with("a.weight_g_idx", DType::kI32, {kCols}).find("g_idx"), std::string::npos);
  EXPECT_NE(with("a.weight_zero_point", DType::kI32, {1, 4}).find("zero_point"), std::string::npos);
  EXPECT_NE(with("a.weight", DType::kBF16, {kRows, kCols}).find("plain"), std::string::npos);
  EXPECT_NE(with("lm_head.weight_packed", DType::kI32, {2, 2}).find("lm_head"), std::string::npos);
}

double RelativeError(int64_t group, bool wide) {
  const std::vector<float> values = Gaussian(256 * 1024);
  std::vector<int8_t> codes(1024);
  std::vector<bf16_t> scales(1024 / 16);
  double error = 0;
  double power = 0;
  for (size_t row = 0; row < 256; ++row) {
    const std::span<const float> x(values.data() + row * 1024, 1024);
    if (wide) {
      QuantizeInt8Row(x, group, codes.data(), scales.data());
    } else {
      QuantizeInt4Row(IsaChoice::Detect(), x, {}, group, codes.data(), scales.data());
    }
    for (size_t i = 0; i < x.size(); ++i) {
      const double value =
          Bf16ToFloat(scales[i / static_cast<size_t>(group)]) * static_cast<double>(codes[i]);
      error += (value - x[i]) * (value - x[i]);
      power += static_cast<double>(x[i]) * x[i];
    }
  }
  return std::sqrt(error / power);
}

// On Gaussian numbers a published 4.5-bit format, Q4_K, has 0.0713.
TEST(QuantizeRowTest, ErrorOnGaussianNumbers) {
  EXPECT_LT(RelativeError(16, false), 0.0712);
  EXPECT_LT(RelativeError(32, false), 0.0860);
  EXPECT_LT(RelativeError(128, false), 0.11);
  EXPECT_LT(RelativeError(32, true), 0.0055);
}

TEST(QuantizeRowTest, ZerosAndOutliersStayFinite) {
  std::vector<float> x(32, 0.0f);
  std::vector<int8_t> codes(32);
  std::vector<bf16_t> scales(2);
  QuantizeInt4Row(IsaChoice::Detect(), x, {}, 16, codes.data(), scales.data());
  EXPECT_EQ(codes, std::vector<int8_t>(32, 0));
  x[3] = -4e30f;
  x[20] = 1e-30f;
  QuantizeInt4Row(IsaChoice::Detect(), x, {}, 16, codes.data(), scales.data());
  EXPECT_NEAR(Bf16ToFloat(scales[0]) * static_cast<float>(codes[3]) / x[3], 1.0, 0.01);
  EXPECT_TRUE(std::isfinite(Bf16ToFloat(scales[1])));
}

}  // namespace
}  // namespace ringlet
