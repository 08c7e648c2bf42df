#include "io/safetensors.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "io/hostile_files.h"
#include "io/test_files.h"

namespace ringlet {
namespace {

Result<std::shared_ptr<const Safetensors>> Parse(const std::string& bytes) {
  const auto copy =
      std::make_shared<std::vector<std::byte>>(AsBytes(bytes).begin(), AsBytes(bytes).end());
  return Safetensors::Parse(*copy, "test", copy);
}

std::string Message(const Status& status) { return status.message(); }

TEST(Safetensors, EmptyFileOfNoTensors) {
  const auto file = Parse(SafetensorsFile("{}", ""));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE((*file)->Names().empty());
  EXPECT_EQ((*file)->Find("a"), nullptr);
}

TEST(Safetensors, EveryPlainType) {
  std::string header = "{";
  uint64_t end = 0;
  const std::string_view names[] = {"F32", "F16", "BF16", "F8_E4M3", "I64", "I32",
                                    "I16", "I8",  "U8",   "BOOL",    "F64"};
  for (const std::string_view name : names) {
    const auto bytes = static_cast<uint64_t>(3 * Traits(*DTypeFromName(name)).block_bytes);
    header += (end == 0 ? "" : ",") + Entry(name, name, "1,3", end, end + bytes);
    end += bytes;
  }
  const auto file = Parse(SafetensorsFile(header + "}", Zeros(end)));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->Names().size(), std::size(names));
  for (const std::string_view name : names) {
    const StoredTensor* tensor = (*file)->Find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(Name(tensor->dtype), name);
    EXPECT_EQ(tensor->shape, (std::vector<int64_t>{1, 3}));
    EXPECT_EQ(tensor->data.size(), static_cast<size_t>(3 * Traits(tensor->dtype).block_bytes));
  }
}

TEST(Safetensors, MisalignedValuesAreReadable) {
  const float values[] = {1.5f, -2.0f};
  const std::string data =
      "\x07" + std::string(reinterpret_cast<const char*>(values), sizeof(values));
  const auto file =
      Parse(SafetensorsOf({Entry("f", "F32", "2", 1, 9), Entry("b", "U8", "1", 0, 1)}, data));
  ASSERT_TRUE(file.ok()) << file.status().message();
  float out[2] = {};
  DecodeRow(*(*file)->Find("f"), 0, out);
  EXPECT_EQ(out[0], 1.5f);
  EXPECT_EQ(out[1], -2.0f);
}

TEST(Safetensors, ScalarsEmptyTensorsMetadataAndPadding) {
  const auto file = Parse(SafetensorsFile(
      R"({"__metadata__":{"format":"pt","\u00e9":""},)" + Entry("scalar", "F32", "", 0, 4) + "," +
          Entry("first", "U8", "0,5", 0, 0) + "," + Entry("last", "F32", "5,0,2", 4, 4) + "}     ",
      Zeros(4)));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->metadata(),
            (std::map<std::string, std::string>{{"format", "pt"}, {"\u00e9", ""}}));
  EXPECT_EQ((*file)->Find("scalar")->elements(), 1);
  EXPECT_EQ((*file)->Find("first")->data.size(), 0u);
  EXPECT_EQ((*file)->Find("last")->shape, (std::vector<int64_t>{5, 0, 2}));
  EXPECT_EQ((*file)->Names(), (std::vector<std::string>{"first", "last", "scalar"}));
}

TEST(Safetensors, LimitsAreInclusive) {
  const std::string name(65536, 'n');
  const auto file = Parse(SafetensorsOf({Entry(name, "U8", "1,1,1,1,1,1,1,3", 0, 3),
                                         Entry("wide", "U8", "281474976710656,0,32767", 3, 3)},
                                        Zeros(3)));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->Find(name)->shape.size(), 8u);
}

TEST(Safetensors, HeaderOverTheCapIsRefusedBeforeItIsRead) {
  const TempDir dir;
  const uint64_t length = 100'000'001;
  const std::string path = dir.Write("large.safetensors", Stored(length));
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(length + 8)), 0);  // sparse
  const auto file = Safetensors::Open(path);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().message(),
            path +
                ": header length: found 100000001, expected at most 100000000 (the largest "
                "header allowed)");
}

TEST(Safetensors, ViewsOutliveTheObject) {
  const TempDir dir;
  const std::string path =
      dir.Write("m.safetensors", SafetensorsOf({Entry("a", "U8", "2", 0, 2)}, "hi"));
  StoredTensor tensor;
  {
    const auto file = Safetensors::Open(path);
    ASSERT_TRUE(file.ok()) << file.status().message();
    tensor = *(*file)->Find("a");
  }
  EXPECT_EQ(std::memcmp(tensor.data.data(), "hi", 2), 0);
}

std::string SmallFile() {
  return SafetensorsFile(R"({"__metadata__":{"format":"pt"},)" + Entry("w", "F32", "2,3", 0, 24) +
                             "," + Entry("s", "F16", "", 24, 26) + "}",
                         "0123456789abcdef0123456789");
}

TEST(Safetensors, EveryTruncationIsRefused) {
  ExpectEveryTruncationRefused<Safetensors>(SmallFile());
}

TEST(Safetensors, DamagedBytesNeverFault) {
  // Damage to the 26 data bytes, the metadata or a name still reads.
  EXPECT_GE(CountAcceptedDamage<Safetensors>(SmallFile()), 26u * 8u);
}

// --- writer

std::string RandomBytes(size_t count, uint64_t seed) {
  Rng rng(seed);
  std::string bytes(count, '\0');
  for (char& c : bytes) c = static_cast<char>(rng.Below(256));
  return bytes;
}

TEST(SafetensorsWriter, WhatItWritesReadsBack) {
  const TempDir dir;
  const std::string path = dir.path() + "/out.safetensors";
  const std::vector<SafetensorsEntry> entries = {
      {"b \"quoted\" \\ \n \u00e9", DType::kBF16, {3, 5}},
      {"a", DType::kF8E4M3, {7}},
      {"scalar", DType::kF64, {}},
      {"none", DType::kI32, {4, 0}},
  };
  const std::map<std::string, std::string> metadata = {{"made by", "a \"test\"\t"}};
  const std::string data = RandomBytes(30 + 7 + 8, 1);
  auto writer = SafetensorsWriter::Create(path, entries, metadata);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  for (size_t done = 0; done < data.size(); done += 4) {
    ASSERT_TRUE(writer->Append(AsBytes(data.substr(done, 4))).ok());
  }
  EXPECT_FALSE(FileExists(path));
  ASSERT_TRUE(writer->Finish().ok());

  const auto file = Safetensors::Open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->metadata(), metadata);
  EXPECT_EQ((*file)->Names().size(), entries.size());
  size_t at = 0;
  for (const SafetensorsEntry& entry : entries) {
    const StoredTensor* tensor = (*file)->Find(entry.name);
    ASSERT_NE(tensor, nullptr) << entry.name;
    EXPECT_EQ(tensor->dtype, entry.dtype);
    EXPECT_EQ(tensor->shape, entry.shape);
    EXPECT_EQ(std::memcmp(tensor->data.data(), data.data() + at, tensor->data.size()), 0);
    at += tensor->data.size();
  }
  EXPECT_EQ(at, data.size());
}

TEST(SafetensorsWriter, HeaderEndsOnAMultipleOfEight) {
  const TempDir dir;
  for (size_t extra = 0; extra < 8; ++extra) {
    const std::string path = dir.path() + "/out.safetensors";
    auto writer = SafetensorsWriter::Create(path, {}, {{"k", std::string(extra, 'v')}});
    ASSERT_TRUE(writer.ok() && writer->Finish().ok());
    EXPECT_EQ(ReadFile(path)->size() % 8, 0u);
  }
}

Status CreateStatus(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                    const std::map<std::string, std::string>& metadata = {}) {
  return SafetensorsWriter::Create(path, entries, metadata).status();
}

TEST(SafetensorsWriter, RefusesWhatTheReaderWouldRefuse) {
  const TempDir dir;
  const std::string path = dir.path() + "/x.safetensors";
  const auto message = [&](const std::vector<SafetensorsEntry>& entries) {
    return Message(CreateStatus(path, entries));
  };
  EXPECT_EQ(message({{"a", DType::kU8, {1}}, {"a", DType::kU8, {1}}}),
            path + ": tensor \"a\": found this name twice, expected each name once");
  EXPECT_EQ(message({{"", DType::kU8, {1}}}),
            path + ": header: found an empty tensor name, expected a name");
  EXPECT_EQ(message({{"\xff", DType::kU8, {1}}}),
            path + ": tensor \"\\xff\": found a name that is not UTF-8, expected UTF-8");
  EXPECT_EQ(message({{"a", DType::kQ4_0, {32}}}),
            path + ": tensor \"a\": dtype: found Q4_0, expected a plain type");
  EXPECT_EQ(message({{"a", DType::kU8, {-1}}}),
            path + ": tensor \"a\": shape: found [-1], expected a size that fits 63 bits");
  EXPECT_EQ(message({{"a", DType::kF32, {int64_t{1} << 40, int64_t{1} << 40}}}),
            path +
                ": tensor \"a\": shape: found [1099511627776, 1099511627776], expected a size "
                "that fits 63 bits");
  EXPECT_EQ(message({{"a", DType::kU8, {1, 1, 1, 1, 1, 1, 1, 1, 1}}}),
            path + ": tensor \"a\": shape: found more than 8 dimensions, expected at most 8");
  EXPECT_EQ(Message(CreateStatus(path, {}, {{"k", "\xc3"}})),
            path + ": __metadata__: \"k\": found bytes that are not UTF-8, expected UTF-8");
  EXPECT_EQ(CreateStatus(dir.path() + "/no/such/x", {}).code(), StatusCode::kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(SafetensorsWriter, TooFewOrTooManyBytesLeaveNoFile) {
  const TempDir dir;
  const std::string path = dir.path() + "/x.safetensors";
  const std::vector<SafetensorsEntry> entries = {{"a", DType::kU8, {4}}};
  {
    auto writer = SafetensorsWriter::Create(path, entries, {});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->Append(AsBytes("123")).ok());
    EXPECT_EQ(Message(writer->Finish()),
              path + ": data: found an end 1 bytes early, expected every declared tensor");
  }
  {
    auto writer = SafetensorsWriter::Create(path, entries, {});
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->Append(AsBytes("123")).ok());
    const std::string error =
        path + ": data: found 2 more bytes, expected at most 1, the rest of what was declared";
    EXPECT_EQ(Message(writer->Append(AsBytes("45"))), error);
    EXPECT_EQ(Message(writer->Append(AsBytes("4"))), error);
    EXPECT_EQ(Message(writer->Finish()), error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace ringlet
