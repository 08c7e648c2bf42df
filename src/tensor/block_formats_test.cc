// GGUF blocks: hand-packed ones that use every code and every group scale, against the formulas of
// docs/formats.md written out here; and random ones against values decoded by another program
// (tests/data/gguf_blocks.json, made by tools/gen_block_goldens.py).
#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "base/json.h"
#include "tensor/tensor_source.h"

namespace ringlet {
namespace {

using Bytes = std::vector<uint8_t>;

void PutHalf(Bytes* block, size_t at, float value) {
  const f16_t code = FloatToF16(value);
  std::memcpy(block->data() + at, &code, sizeof(code));
}

std::vector<float> Decode(DType type, const Bytes& bytes) {
  const DTypeTraits& traits = Traits(type);
  EXPECT_EQ(bytes.size() % static_cast<size_t>(traits.block_bytes), 0u);
  const auto blocks = static_cast<int64_t>(bytes.size()) / traits.block_bytes;
  std::vector<float> values(static_cast<size_t>(blocks * traits.block_elements), 1e30f);
  DecodeValues(type, reinterpret_cast<const std::byte*>(bytes.data()),
               blocks * traits.block_elements, values.data());
  return values;
}

// Nibbles of 32 codes: code i in the low half of byte i for i < 16, else in the high half of i
// - 16.
void PutNibbles(Bytes* block, size_t at, const std::vector<int>& codes) {
  for (size_t i = 0; i < 16; ++i) {
    (*block)[at + i] = static_cast<uint8_t>((codes[i] & 15) | (codes[i + 16] & 15) << 4);
  }
}

void PutFifthBits(Bytes* block, size_t at, const std::vector<int>& codes) {
  for (size_t i = 0; i < 32; ++i) {
    (*block)[at + i / 8] |= static_cast<uint8_t>((codes[i] >> 4 & 1) << (i % 8));
  }
}

// Codes 0, 7, 14, ... modulo `range`: each appears, and no two neighbours look alike.
std::vector<int> MixedCodes(size_t count, int range) {
  std::vector<int> codes(count);
  for (size_t i = 0; i < count; ++i) codes[i] = static_cast<int>(i) * 7 % range;
  return codes;
}

TEST(BlockFormats, Q4_0UsesEveryCode) {
  const std::vector<int> codes = MixedCodes(32, 16);
  Bytes block(18);
  PutHalf(&block, 0, -0.75f);
  PutNibbles(&block, 2, codes);
  const std::vector<float> values = Decode(DType::kQ4_0, block);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(values[i], -0.75f * static_cast<float>(codes[i] - 8)) << i;
  }
}

TEST(BlockFormats, Q4_1UsesEveryCode) {
  const std::vector<int> codes = MixedCodes(32, 16);
  Bytes block(20);
  PutHalf(&block, 0, 0.5f);
  PutHalf(&block, 2, -3.25f);
  PutNibbles(&block, 4, codes);
  const std::vector<float> values = Decode(DType::kQ4_1, block);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(values[i], 0.5f * static_cast<float>(codes[i]) - 3.25f) << i;
  }
}

TEST(BlockFormats, Q5_0UsesEveryCode) {
  const std::vector<int> codes = MixedCodes(32, 32);
  ASSERT_EQ(std::set<int>(codes.begin(), codes.end()).size(), 32u);
  Bytes block(22);
  PutHalf(&block, 0, 0.25f);
  PutFifthBits(&block, 2, codes);
  PutNibbles(&block, 6, codes);
  const std::vector<float> values = Decode(DType::kQ5_0, block);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(values[i], 0.25f * static_cast<float>(codes[i] - 16)) << i;
  }
}

TEST(BlockFormats, Q5_1UsesEveryCode) {
  const std::vector<int> codes = MixedCodes(32, 32);
  Bytes block(24);
  PutHalf(&block, 0, 2.0f);
  PutHalf(&block, 2, 0.125f);
  PutFifthBits(&block, 4, codes);
  PutNibbles(&block, 8, codes);
  const std::vector<float> values = Decode(DType::kQ5_1, block);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(values[i], 2.0f * static_cast<float>(codes[i]) + 0.125f) << i;
  }
}

TEST(BlockFormats, Q8_0UsesEveryCode) {
  Bytes blocks;
  for (int first = -128; first < 128; first += 32) {
    Bytes block(34);
    PutHalf(&block, 0, 0.5f + static_cast<float>(first));
    for (int i = 0; i < 32; ++i)
      block[2 + static_cast<size_t>(i)] = static_cast<uint8_t>(first + i);
    blocks.insert(blocks.end(), block.begin(), block.end());
  }
  const std::vector<float> values = Decode(DType::kQ8_0, blocks);
  ASSERT_EQ(values.size(), 256u);
  for (int code = -128; code < 128; ++code) {
    const float scale = 0.5f + static_cast<float>((code + 128) / 32 * 32 - 128);
    EXPECT_EQ(values[static_cast<size_t>(code + 128)], scale * static_cast<float>(code));
  }
}

// The 12 bytes of six-bit scales and minimums of Q4_K and Q5_K.
void PutKScales(Bytes* block, const std::vector<int>& scales, const std::vector<int>& mins) {
  for (size_t j = 0; j < 4; ++j) {
    (*block)[4 + j] = static_cast<uint8_t>(scales[j] | scales[j + 4] >> 4 << 6);
    (*block)[8 + j] = static_cast<uint8_t>(mins[j] | mins[j + 4] >> 4 << 6);
    (*block)[12 + j] = static_cast<uint8_t>((scales[j + 4] & 15) | (mins[j + 4] & 15) << 4);
  }
}

struct KBlock {
  Bytes bytes;
  std::vector<float> values;
};

// A block of `bits`-bit codes whose groups have the given scales and minimums, with what it means.
KBlock MakeKBlock(int bits, const std::vector<int>& scales, const std::vector<int>& mins) {
  KBlock block{Bytes(bits == 4 ? 144 : 176), std::vector<float>(256)};
  PutHalf(&block.bytes, 0, 0.5f);
  PutHalf(&block.bytes, 2, 0.25f);
  PutKScales(&block.bytes, scales, mins);
  const std::vector<int> codes = MixedCodes(256, 1 << bits);
  const size_t nibbles = bits == 4 ? 16 : 48;
  for (size_t v = 0; v < 256; ++v) {
    const size_t group = v / 32;
    block.bytes[nibbles + group / 2 * 32 + v % 32] |=
        static_cast<uint8_t>((codes[v] & 15) << (group % 2 * 4));
    if (bits == 5) block.bytes[16 + v % 32] |= static_cast<uint8_t>(codes[v] >> 4 << group);
    block.values[v] = 0.5f * static_cast<float>(scales[group] * codes[v]) -
                      0.25f * static_cast<float>(mins[group]);
  }
  return block;
}

class KBlocks : public ::testing::TestWithParam<int> {};

// 64 blocks, so that each of the eight groups takes each of the 64 scales and minimums.
TEST_P(KBlocks, UseEveryCodeScaleAndMinimum) {
  for (int shift = 0; shift < 64; ++shift) {
    std::vector<int> scales(8);
    std::vector<int> mins(8);
    for (int j = 0; j < 8; ++j) {
      scales[static_cast<size_t>(j)] = (shift + 9 * j) % 64;
      mins[static_cast<size_t>(j)] = (63 + 5 * shift - 11 * j + 64) % 64;
    }
    const KBlock block = MakeKBlock(GetParam(), scales, mins);
    const DType type = GetParam() == 4 ? DType::kQ4_K : DType::kQ5_K;
    ASSERT_EQ(Decode(type, block.bytes), block.values) << shift;
  }
}
INSTANTIATE_TEST_SUITE_P(Bits, KBlocks, ::testing::Values(4, 5));

TEST(BlockFormats, Q6_KUsesEveryCodeAndScale) {
  const std::vector<int> codes = MixedCodes(256, 64);
  for (int first = -128; first < 128; first += 16) {
    Bytes block(210);
    PutHalf(&block, 208, 0.5f);
    for (int g = 0; g < 16; ++g)
      block[192 + static_cast<size_t>(g)] = static_cast<uint8_t>(first + g);
    for (size_t v = 0; v < 256; ++v) {
      const size_t half = v / 128;
      const size_t quarter = v % 128 / 32;
      block[half * 64 + quarter % 2 * 32 + v % 32] |=
          static_cast<uint8_t>((codes[v] & 15) << (quarter / 2 * 4));
      block[128 + half * 32 + v % 32] |= static_cast<uint8_t>(codes[v] >> 4 << (quarter * 2));
    }
    const std::vector<float> values = Decode(DType::kQ6_K, block);
    for (int v = 0; v < 256; ++v) {
      const int product = (first + v / 16) * (codes[static_cast<size_t>(v)] - 32);
      ASSERT_EQ(values[static_cast<size_t>(v)], 0.5f * static_cast<float>(product)) << v;
    }
  }
}

Bytes FromHex(const std::string& hex) {
  Bytes bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
  }
  return bytes;
}

TEST(BlockFormats, RandomBlocksMatchAnotherDecoderBitForBit) {
  const auto goldens =
      ReadJsonFile(std::string(RINGLET_SOURCE_DIR) + "/tests/data/gguf_blocks.json");
  ASSERT_TRUE(goldens.ok()) << goldens.status().message();
  ASSERT_EQ(goldens->size(), 8u);
  for (const auto& [name, golden] : goldens->items()) {
    SCOPED_TRACE(name);
    const DType type = DTypeFromName(name).value();
    const std::vector<float> values = Decode(type, FromHex(golden["blocks"].get<std::string>()));
    const Bytes expected = FromHex(golden["values"].get<std::string>());
    ASSERT_EQ(values.size() * sizeof(float), expected.size());
    ASSERT_GE(values.size(), 256u);
    EXPECT_EQ(std::memcmp(values.data(), expected.data(), expected.size()), 0);
  }
}

}  // namespace
}  // namespace ringlet
