#include "io/gguf.h"

#include <unistd.h>

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "io/hostile_files.h"
#include "io/test_files.h"

namespace ringlet {
namespace {

Result<std::shared_ptr<const GgufFile>> Parse(const std::string& bytes) {
  const auto copy =
      std::make_shared<std::vector<std::byte>>(AsBytes(bytes).begin(), AsBytes(bytes).end());
  return GgufFile::Parse(*copy, "test", copy);
}

std::vector<std::string> EveryEntry() {
  return {
      GgufEntry("u8", kTypeU8, Stored(uint8_t{255})),
      GgufEntry("i8", kTypeI8, Stored(int8_t{-128})),
      GgufEntry("u16", kTypeU16, Stored(uint16_t{65535})),
      GgufEntry("i16", kTypeI16, Stored(int16_t{-32768})),
      GgufEntry("u32", kTypeU32, Stored(~0u)),
      GgufEntry("i32", kTypeI32, Stored(int32_t{-2147483647 - 1})),
      GgufEntry("u64", kTypeU64, Stored(~uint64_t{0} >> 1)),
      GgufEntry("i64", kTypeI64, Stored(int64_t{-5})),
      GgufEntry("f32", kTypeF32, Stored(0.1f)),
      GgufEntry("f64", kTypeF64, Stored(0.1)),
      GgufEntry("true", kTypeBool, Stored(uint8_t{1})),
      GgufEntry("false", kTypeBool, Stored(uint8_t{0})),
      GgufEntry("string", kTypeString, GgufString(std::string("a\0\xff", 3))),
      GgufArray("strings", kTypeString, 3, GgufString("x") + GgufString("") + GgufString("yz")),
      GgufArray("i32s", kTypeI32, 2, Stored(-1) + Stored(7)),
      GgufArray("f32s", kTypeF32, 2, Stored(0.5f) + Stored(-1.0f)),
      GgufArray("bools", kTypeBool, 3, std::string("\1\0\1", 3)),
      GgufArray("none", kTypeString, 0, ""),
  };
}

TEST(Gguf, EveryKindOfValue) {
  const auto parsed = Parse(GgufBytes(EveryEntry(), {}, ""));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  const GgufFile& file = **parsed;
  EXPECT_EQ(*file.Integer("u8"), 255);
  EXPECT_EQ(*file.Integer("i8"), -128);
  EXPECT_EQ(*file.Integer("u16"), 65535);
  EXPECT_EQ(*file.Integer("i16"), -32768);
  EXPECT_EQ(*file.Integer("u32"), 4294967295);
  EXPECT_EQ(*file.Integer("i32"), -2147483648LL);
  EXPECT_EQ(*file.Integer("u64"), 9223372036854775807);
  EXPECT_EQ(*file.Integer("i64"), -5);
  EXPECT_EQ(*file.Double("f32"), static_cast<double>(0.1f));
  EXPECT_EQ(*file.Double("f64"), 0.1);
  EXPECT_EQ(*file.Double("i64"), -5.0);
  EXPECT_TRUE(*file.Bool("true"));
  EXPECT_FALSE(*file.Bool("false"));
  EXPECT_EQ(*file.String("string"), std::string("a\0\xff", 3));
  EXPECT_EQ(*file.StringArray("strings"), (GgufValue::Strings{"x", "", "yz"}));
  EXPECT_EQ(*file.IntegerArray("i32s"), (GgufValue::Integers{-1, 7}));
  EXPECT_EQ(*file.DoubleArray("f32s"), (GgufValue::Doubles{0.5, -1.0}));
  EXPECT_EQ(*file.DoubleArray("i32s"), (GgufValue::Doubles{-1.0, 7.0}));
  EXPECT_EQ(std::get<GgufValue::Bools>(file.FindValue("bools")->value),
            (GgufValue::Bools{true, false, true}));
  EXPECT_TRUE(file.StringArray("none")->empty());
  EXPECT_EQ(file.metadata().size(), EveryEntry().size());
}

TEST(Gguf, TypedAccessNamesFileKeyFoundAndExpected) {
  const auto parsed = Parse(GgufBytes(EveryEntry(), {}, ""));
  ASSERT_TRUE(parsed.ok());
  const GgufFile& file = **parsed;
  EXPECT_EQ(file.Integer("absent").status().message(),
            "test: metadata \"absent\": found nothing, expected an integer");
  EXPECT_EQ(file.Integer("absent").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(file.Integer("f32").status().message(),
            "test: metadata \"f32\": found a number, expected an integer");
  EXPECT_EQ(file.Integer("f32").status().code(), StatusCode::kInvalidInput);
  EXPECT_EQ(file.Integer("true").status().message(),
            "test: metadata \"true\": found a boolean, expected an integer");
  EXPECT_EQ(file.Double("string").status().message(),
            "test: metadata \"string\": found a string, expected a number");
  EXPECT_EQ(file.Bool("u8").status().message(),
            "test: metadata \"u8\": found an integer, expected a boolean");
  EXPECT_EQ(file.String("strings").status().message(),
            "test: metadata \"strings\": found an array of strings, expected a string");
  EXPECT_EQ(file.StringArray("i32s").status().message(),
            "test: metadata \"i32s\": found an array of integers, expected an array of strings");
  EXPECT_EQ(file.IntegerArray("f32s").status().message(),
            "test: metadata \"f32s\": found an array of numbers, expected an array of integers");
  EXPECT_EQ(file.DoubleArray("bools").status().message(),
            "test: metadata \"bools\": found an array of booleans, expected an array of numbers");
  EXPECT_EQ(file.FindValue("absent"), nullptr);
}

struct TypeRow {
  uint32_t number;
  std::string_view name;
};

TEST(Gguf, EveryReadableType) {
  const TypeRow rows[] = {{0, "F32"},   {1, "F16"},   {2, "Q4_0"}, {3, "Q4_1"},
                          {6, "Q5_0"},  {7, "Q5_1"},  {8, "Q8_0"}, {12, "Q4_K"},
                          {13, "Q5_K"}, {14, "Q6_K"}, {24, "I8"},  {25, "I16"},
                          {26, "I32"},  {27, "I64"},  {28, "F64"}, {30, "BF16"}};
  std::vector<std::string> tensors;
  size_t end = 0;
  for (const TypeRow& row : rows) {
    const DTypeTraits& traits = Traits(*DTypeFromName(row.name));
    tensors.push_back(GgufTensor(row.name, {512, 3}, row.number, end));
    end += static_cast<size_t>(512 * 3 / traits.block_elements * traits.block_bytes);
    end = (end + 31) / 32 * 32;
  }
  const auto file = Parse(GgufBytes({}, tensors, Zeros(end)));
  ASSERT_TRUE(file.ok()) << file.status().message();
  for (const TypeRow& row : rows) {
    const StoredTensor* tensor = (*file)->Find(row.name);
    ASSERT_NE(tensor, nullptr) << row.name;
    EXPECT_EQ(Name(tensor->dtype), row.name);
    EXPECT_EQ(tensor->shape, (std::vector<int64_t>{3, 512}));
    EXPECT_EQ(tensor->rows(), 3);
    EXPECT_EQ(tensor->data.size(), *RowBytes(tensor->dtype, 512) * 3);
  }
  EXPECT_EQ((*file)->Names().size(), std::size(rows));
}

TEST(Gguf, ShapesAreTurnedOutermostFirstAndDataIsPlacedByOffset) {
  const float values[] = {0, 1, 2, 3, 4, 5};
  std::string data = Zeros(32) + std::string(reinterpret_cast<const char*>(values), sizeof(values));
  const auto file = Parse(
      GgufBytes({}, {GgufTensor("m", {3, 2}, 0, 32), GgufTensor("v", {2, 1, 1, 1}, 0, 0)}, data));
  ASSERT_TRUE(file.ok()) << file.status().message();
  const StoredTensor* m = (*file)->Find("m");
  EXPECT_EQ(m->shape, (std::vector<int64_t>{2, 3}));
  float row[3] = {};
  DecodeRow(*m, 1, row);
  EXPECT_EQ(row[0], 3.0f);
  EXPECT_EQ(row[2], 5.0f);
  EXPECT_EQ((*file)->Find("v")->shape, (std::vector<int64_t>{1, 1, 1, 2}));
  EXPECT_EQ((*file)->Find("absent"), nullptr);
}

TEST(Gguf, VersionTwoAlignmentAndTrailingBytes) {
  std::string bytes = GgufBytes({GgufEntry("general.alignment", kTypeU32, Stored(8u))},
                                {GgufTensor("a", {1}, 0, 0), GgufTensor("b", {1}, 0, 8)},
                                Zeros(12) + "trailing", 8);
  bytes[4] = 2;
  const auto file = Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->Names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(*(*file)->Integer("general.alignment"), 8);
}

TEST(Gguf, AVocabularyAloneNeedsNoData) {
  const auto file = Parse(GgufBytes({GgufEntry("split.count", kTypeU16, Zeros(2))}, {}, ""));
  EXPECT_TRUE(file.ok()) << file.status().message();
}

std::string SmallFile() {
  return GgufBytes({GgufEntry("general.alignment", kTypeU32, Stored(32u)),
                    GgufArray("tokens", kTypeString, 2, GgufString("a") + GgufString("bc")),
                    GgufEntry("flag", kTypeBool, "\1")},
                   {GgufTensor("q", {32, 2}, 2, 0), GgufTensor("f", {4}, 0, 64)},
                   std::string(80, 'd'));
}

TEST(Gguf, EveryTruncationIsRefused) { ExpectEveryTruncationRefused<GgufFile>(SmallFile()); }

TEST(Gguf, DamagedBytesNeverFault) {
  // Damage to the data and to a tensor's or key's name still reads.
  EXPECT_GE(CountAcceptedDamage<GgufFile>(SmallFile()), 80u * 8u);
}

TEST(Gguf, MetadataOver256MibIsRefused) {
  const TempDir dir;
  const uint64_t length = uint64_t{1} << 28;
  const std::string path =
      dir.Write("large.gguf", GgufCounts(0, 1) + GgufEntry("k", kTypeString, Stored(length)));
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(length + 45)), 0);  // sparse
  const auto file = GgufFile::Open(path);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().message(),
            path + ": header: found 268435501 bytes and more, expected at most 268435456");
}

}  // namespace
}  // namespace ringlet
