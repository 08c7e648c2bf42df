// Scalar conversions, over every code: decoding against a formula in double, encoding at every
// representable value, every midpoint between two of them, and on both sides of it.
#include "tensor/dtype.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include <gtest/gtest.h>

namespace ringlet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();

// The value of a sign-exponent-mantissa code with IEEE subnormals, as the definition states it.
double ValueOf(uint32_t code, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const auto mantissa = static_cast<int>(code & ((1u << mantissa_bits) - 1));
  const auto exponent = static_cast<int>((code >> mantissa_bits) & ((1u << exponent_bits) - 1));
  const double sign = (code >> (exponent_bits + mantissa_bits)) != 0 ? -1.0 : 1.0;
  const int whole = exponent == 0 ? mantissa : mantissa + (1 << mantissa_bits);
  return sign * std::ldexp(whole, std::max(exponent, 1) - bias - mantissa_bits);
}

bool SameBits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

// Rounding of `encode` between the neighbouring codes `low` and `low + 1`, in both signs.
void ExpectRounding(uint32_t low, double low_value, double high_value, uint32_t sign_bit,
                    const std::function<uint32_t(float)>& encode) {
  const auto middle = static_cast<float>((low_value + high_value) / 2);
  ASSERT_EQ(static_cast<double>(middle), (low_value + high_value) / 2) << "not a float";
  const uint32_t even = low % 2 == 0 ? low : low + 1;
  EXPECT_EQ(encode(middle), even) << middle;
  EXPECT_EQ(encode(std::nextafterf(middle, 0.0f)), low) << middle;
  EXPECT_EQ(encode(std::nextafterf(middle, kInfinity)), low + 1) << middle;
  EXPECT_EQ(encode(-middle), even | sign_bit) << middle;
  EXPECT_EQ(encode(std::nextafterf(-middle, 0.0f)), low | sign_bit) << middle;
  EXPECT_EQ(encode(std::nextafterf(-middle, -kInfinity)), (low + 1) | sign_bit) << middle;
}

TEST(F16, EveryCodeDecodes) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const float value = F16ToFloat(static_cast<f16_t>(code));
    const bool negative = (code & 0x8000u) != 0;
    if ((code & 0x7fffu) > 0x7c00u) {
      ASSERT_TRUE(std::isnan(value)) << code;
      ASSERT_EQ(std::signbit(value), negative) << code;
    } else if ((code & 0x7fffu) == 0x7c00u) {
      ASSERT_EQ(value, negative ? -kInfinity : kInfinity);
    } else {
      ASSERT_TRUE(SameBits(value, static_cast<float>(ValueOf(code, 5, 10)))) << code;
    }
  }
}

TEST(F16, EveryCodeSurvivesARoundTrip) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const f16_t back = FloatToF16(F16ToFloat(static_cast<f16_t>(code)));
    if ((code & 0x7fffu) > 0x7c00u) {
      ASSERT_GT(back & 0x7fffu, 0x7c00u) << code;
      ASSERT_EQ(back & 0x8000u, code & 0x8000u) << code;
    } else {
      ASSERT_EQ(back, code);
    }
  }
}

TEST(F16, EveryMidpointRoundsToEven) {
  for (uint32_t code = 0; code < 0x7bff; ++code) {
    ExpectRounding(code, ValueOf(code, 5, 10), ValueOf(code + 1, 5, 10), 0x8000u, FloatToF16);
    if (HasFailure()) return;
  }
}

TEST(F16, OverflowUnderflowAndNan) {
  EXPECT_EQ(FloatToF16(65504.0f), 0x7bff);
  EXPECT_EQ(FloatToF16(std::nextafterf(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(FloatToF16(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToF16(kLargest), 0x7c00);
  EXPECT_EQ(FloatToF16(kInfinity), 0x7c00);
  EXPECT_EQ(FloatToF16(-65520.0f), 0xfc00);
  EXPECT_EQ(FloatToF16(-kInfinity), 0xfc00);
  EXPECT_EQ(FloatToF16(0x1.0p-149f), 0x0000);
  EXPECT_EQ(FloatToF16(-0x1.0p-149f), 0x8000);
  EXPECT_EQ(FloatToF16(-0.0f), 0x8000);
  EXPECT_EQ(FloatToF16(std::bit_cast<float>(0x7f800001u)) & 0x7e00u, 0x7e00u);  // quieted
  EXPECT_EQ(FloatToF16(std::bit_cast<float>(0xffffffffu)) & 0xfe00u, 0xfe00u);
}

TEST(Bf16, EveryCodeDecodes) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const float value = Bf16ToFloat(static_cast<bf16_t>(code));
    const bool negative = (code & 0x8000u) != 0;
    if ((code & 0x7fffu) > 0x7f80u) {
      ASSERT_TRUE(std::isnan(value)) << code;
      ASSERT_EQ(std::signbit(value), negative) << code;
    } else if ((code & 0x7fffu) == 0x7f80u) {
      ASSERT_EQ(value, negative ? -kInfinity : kInfinity);
    } else {
      ASSERT_TRUE(SameBits(value, static_cast<float>(ValueOf(code, 8, 7)))) << code;
    }
  }
}

TEST(Bf16, EveryCodeSurvivesARoundTrip) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const bf16_t back = FloatToBf16(Bf16ToFloat(static_cast<bf16_t>(code)));
    // A NaN keeps its payload, with the quiet bit set.
    ASSERT_EQ(back, (code & 0x7fffu) > 0x7f80u ? code | 0x40u : code);
  }
}

TEST(Bf16, EveryMidpointRoundsToEven) {
  for (uint32_t code = 0; code < 0x7f7f; ++code) {
    ExpectRounding(code, ValueOf(code, 8, 7), ValueOf(code + 1, 8, 7), 0x8000u, FloatToBf16);
    if (HasFailure()) return;
  }
}

TEST(Bf16, OverflowAndNan) {
  const auto largest = static_cast<float>(ValueOf(0x7f7f, 8, 7));
  const auto limit = static_cast<float>(ValueOf(0x7f7f, 8, 7) + std::ldexp(1.0, 119));
  EXPECT_EQ(FloatToBf16(largest), 0x7f7f);
  EXPECT_EQ(FloatToBf16(std::nextafterf(limit, 0.0f)), 0x7f7f);
  EXPECT_EQ(FloatToBf16(limit), 0x7f80);
  EXPECT_EQ(FloatToBf16(kLargest), 0x7f80);
  EXPECT_EQ(FloatToBf16(-kLargest), 0xff80);
  EXPECT_EQ(FloatToBf16(kInfinity), 0x7f80);
  EXPECT_EQ(FloatToBf16(-0.0f), 0x8000);
  // A payload only in the bits that are cut off must not turn into infinity.
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0x7f800001u)), 0x7fc0);
  EXPECT_EQ(FloatToBf16(std::bit_cast<float>(0xffffffffu)), 0xffff);
}

TEST(F8E4M3, EveryCodeDecodesAndSurvivesARoundTrip) {
  for (uint32_t code = 0; code < 0x100; ++code) {
    const float value = F8E4M3ToFloat(static_cast<uint8_t>(code));
    if ((code & 0x7fu) == 0x7fu) {
      EXPECT_TRUE(std::isnan(value)) << code;
      EXPECT_EQ(FloatToF8E4M3(value) & 0x7fu, 0x7fu) << code;
      continue;
    }
    EXPECT_TRUE(SameBits(value, static_cast<float>(ValueOf(code, 4, 3)))) << code;
    EXPECT_EQ(FloatToF8E4M3(value), code);
  }
}

TEST(F8E4M3, EveryMidpointRoundsToEven) {
  for (uint32_t code = 0; code < 0x7e; ++code) {
    ExpectRounding(code, ValueOf(code, 4, 3), ValueOf(code + 1, 4, 3), 0x80u, FloatToF8E4M3);
    if (HasFailure()) return;
  }
}

TEST(F8E4M3, SaturatesAndKeepsNan) {
  EXPECT_EQ(F8E4M3ToFloat(0x7e), 448.0f);
  for (const float large : {448.0f, 449.0f, 464.0f, 480.0f, 1e30f, kLargest, kInfinity}) {
    EXPECT_EQ(FloatToF8E4M3(large), 0x7e) << large;
    EXPECT_EQ(FloatToF8E4M3(-large), 0xfe) << large;
  }
  EXPECT_EQ(FloatToF8E4M3(std::nanf("")) & 0x7f, 0x7f);
  EXPECT_EQ(FloatToF8E4M3(0x1.0p-149f), 0x00);
  EXPECT_EQ(FloatToF8E4M3(-0.0f), 0x80);
  EXPECT_EQ(FloatToF8E4M3(0x1.0p-10f), 0x00);  // half of the smallest: ties to even
}

TEST(DTypeTraits, NamesAndSizes) {
  struct Row {
    std::string_view name;
    int64_t elements;
    int64_t bytes;
  };
  const Row rows[] = {{"F32", 1, 4},      {"F16", 1, 2},      {"BF16", 1, 2},    {"F8_E4M3", 1, 1},
                      {"I64", 1, 8},      {"I32", 1, 4},      {"I16", 1, 2},     {"I8", 1, 1},
                      {"U8", 1, 1},       {"BOOL", 1, 1},     {"F64", 1, 8},     {"Q4_0", 32, 18},
                      {"Q4_1", 32, 20},   {"Q5_0", 32, 22},   {"Q5_1", 32, 24},  {"Q8_0", 32, 34},
                      {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210}};
  for (size_t i = 0; i < std::size(rows); ++i) {
    const auto type = static_cast<DType>(i);
    EXPECT_EQ(Name(type), rows[i].name);
    EXPECT_EQ(Traits(type).block_elements, rows[i].elements) << rows[i].name;
    EXPECT_EQ(Traits(type).block_bytes, rows[i].bytes) << rows[i].name;
    EXPECT_EQ(DTypeFromName(rows[i].name), type);
  }
  EXPECT_EQ(DTypeFromName("bf16"), std::nullopt);
  EXPECT_EQ(DTypeFromName(""), std::nullopt);
}

}  // namespace
}  // namespace ringlet
