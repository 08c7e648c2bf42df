// Checkpoint directories: which files are read, and every way an index and its shards can disagree.
#include <filesystem>

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "io/test_files.h"

namespace ringlet {
namespace {

constexpr const char* kIndex = "model.safetensors.index.json";

struct NamedFile {
  std::string name;
  std::string bytes;
};

// A directory and the error that opening it must give; "{}" stands for its path.
struct MalformedDirectory {
  std::string name;
  std::vector<NamedFile> files;
  std::string message;
  StatusCode code = StatusCode::kInvalidInput;
};

std::ostream& operator<<(std::ostream& out, const MalformedDirectory& directory) {
  return out << directory.name;
}

// A shard with one-byte tensors of the given names.
std::string Shard(const std::vector<std::string>& names) {
  std::vector<std::string> entries;
  for (size_t i = 0; i < names.size(); ++i) entries.push_back(Entry(names[i], "U8", "1", i, i + 1));
  return SafetensorsOf(entries, Zeros(names.size()));
}

NamedFile Index(std::string_view weight_map) {
  return {kIndex, fmt::format(R"({{"metadata":{{}},"weight_map":{{{}}}}})", weight_map)};
}

class MalformedDirectories : public ::testing::TestWithParam<MalformedDirectory> {};

TEST_P(MalformedDirectories, GivesItsError) {
  const TempDir dir;
  for (const NamedFile& file : GetParam().files) dir.Write(file.name, file.bytes);
  const auto opened = Safetensors::Open(dir.path());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().message(), fmt::format(fmt::runtime(GetParam().message), dir.path()));
  EXPECT_EQ(StatusCodeName(opened.status().code()), StatusCodeName(GetParam().code));
}

const std::string kNone =
    " *.safetensors files, expected model.safetensors, model.safetensors.index.json or a single "
    "*.safetensors file";
const MalformedDirectory kChoices[] = {
    {"empty_directory", {}, "{}: found 0" + kNone, StatusCode::kNotFound},
    {"only_other_files",
     {{"model.safetensors.tmp", ""}, {"pytorch_model.bin", ""}, {".safetensors", ""}},
     "{}: found 0" + kNone,
     StatusCode::kNotFound},
    {"two_files_no_index",
     {{"a.safetensors", Shard({"a"})}, {"b.safetensors", Shard({"b"})}},
     "{}: found 2" + kNone,
     StatusCode::kNotFound},
    {"single_file_broken",
     {{"model.safetensors", "x"}},
     "{}/model.safetensors: header length: found a file of 1 bytes, expected at least 8 bytes"},
    {"only_file_broken",
     {{"other.safetensors", "x"}},
     "{}/other.safetensors: header length: found a file of 1 bytes, expected at least 8 bytes"},
};
INSTANTIATE_TEST_SUITE_P(Choice, MalformedDirectories, ::testing::ValuesIn(kChoices),
                         MalformedName());

const std::string kIndexPath = "{}/model.safetensors.index.json: ";
const std::string kNoMap = ", expected an object of shard names";
const std::string kBeside = ", expected a *.safetensors file beside the index";
const MalformedDirectory kIndexes[] = {
    {"index_empty",
     {{kIndex, ""}},
     kIndexPath +
         "found bad JSON at byte 1 (parse error at line 1, column 1: syntax error while parsing "
         "value - unexpected end of input; expected '[', '{{', or a literal), expected a JSON "
         "document"},
    {"index_cut",
     {{kIndex, "{\"weight_map\":"}},
     kIndexPath +
         "found bad JSON at byte 15 (parse error at line 1, column 15: syntax error while parsing "
         "value - unexpected end of input; expected '[', '{{', or a literal), expected a JSON "
         "document"},
    {"index_array", {{kIndex, "[]"}}, kIndexPath + "found an array, expected an object"},
    {"index_null", {{kIndex, "null"}}, kIndexPath + "found null, expected an object"},
    {"index_nul_byte",
     {{kIndex, std::string("{}\0{}", 5)}},
     kIndexPath + "found a NUL byte at byte 2, expected a JSON document"},
    {"index_nested_too_deep",
     {{kIndex, std::string(65, '[')}},
     kIndexPath + "found nesting deeper than 64, expected a flatter document"},
    {"index_key_twice",
     {{kIndex, R"({"weight_map":{},"weight_map":{}})"}},
     kIndexPath + "found key \"weight_map\" twice, expected each key once"},
    {"no_weight_map", {{kIndex, "{}"}}, kIndexPath + "weight_map: found nothing" + kNoMap},
    {"weight_map_array",
     {{kIndex, R"({"weight_map":[]})"}},
     kIndexPath + "weight_map: found an array" + kNoMap},
    {"weight_map_null",
     {{kIndex, R"({"weight_map":null})"}},
     kIndexPath + "weight_map: found null" + kNoMap},
    {"weight_map_string",
     {{kIndex, R"({"weight_map":"x"})"}},
     kIndexPath + "weight_map: found a string" + kNoMap},
    {"weight_map_empty",
     {Index("")},
     kIndexPath + "weight_map: found 0 tensors, expected 1 to 1000000"},
    {"tensor_mapped_twice",
     {Index(R"("a":"x.safetensors","a":"y.safetensors")")},
     kIndexPath + "found key \"a\" twice, expected each key once"},
    {"tensor_mapped_twice_escaped",
     {Index(R"("a":"x.safetensors","\u0061":"y.safetensors")")},
     kIndexPath + "found key \"a\" twice, expected each key once"},
    {"shard_number",
     {Index("\"a\":1")},
     kIndexPath + "weight_map: \"a\": found an integer, expected a shard name"},
    {"shard_null",
     {Index("\"a\":null")},
     kIndexPath + "weight_map: \"a\": found null, expected a shard name"},
    {"shard_list",
     {Index("\"a\":[\"x.safetensors\"]")},
     kIndexPath + "weight_map: \"a\": found an array, expected a shard name"},
    {"shard_name_empty",
     {Index("\"a\":\"\"")},
     kIndexPath + "weight_map: \"a\": found an empty name: \"\"" + kBeside},
    {"shard_name_absolute",
     {Index("\"a\":\"/etc/x.safetensors\"")},
     kIndexPath + "weight_map: \"a\": found a name with '/': \"/etc/x.safetensors\"" + kBeside},
    {"shard_name_parent",
     {Index("\"a\":\"../x.safetensors\"")},
     kIndexPath + "weight_map: \"a\": found a name with '/': \"../x.safetensors\"" + kBeside},
    {"shard_name_subdirectory",
     {Index("\"a\":\"sub/x.safetensors\"")},
     kIndexPath + "weight_map: \"a\": found a name with '/': \"sub/x.safetensors\"" + kBeside},
    {"shard_name_escaped_slash",
     {Index(R"("a":"..\u002fx.safetensors")")},
     kIndexPath + "weight_map: \"a\": found a name with '/': \"../x.safetensors\"" + kBeside},
    {"shard_name_backslash",
     {Index(R"("a":"..\\x.safetensors")")},
     kIndexPath + R"(weight_map: "a": found a name with a backslash: "..\\x.safetensors")" +
         kBeside},
    {"shard_name_dots",
     {Index("\"a\":\"..safetensors\"")},
     kIndexPath + "weight_map: \"a\": found a name with '..': \"..safetensors\"" + kBeside},
    {"shard_name_nul",
     {Index(R"("a":"x\u0000.safetensors")")},
     kIndexPath + R"(weight_map: "a": found a name with a NUL: "x\x00.safetensors")" + kBeside},
    {"shard_name_suffix_only",
     {Index("\"a\":\".safetensors\"")},
     kIndexPath + "weight_map: \"a\": found another kind of file: \".safetensors\"" + kBeside},
    {"shard_name_other_kind",
     {Index("\"a\":\"config.json\"")},
     kIndexPath + "weight_map: \"a\": found another kind of file: \"config.json\"" + kBeside},
};
INSTANTIATE_TEST_SUITE_P(Index, MalformedDirectories, ::testing::ValuesIn(kIndexes),
                         MalformedName());

const MalformedDirectory kShards[] = {
    {"shard_missing",
     {Index("\"a\":\"x.safetensors\",\"b\":\"y.safetensors\""), {"x.safetensors", Shard({"a"})}},
     "{}/y.safetensors: cannot open: No such file or directory",
     StatusCode::kNotFound},
    {"shard_broken",
     {Index("\"a\":\"x.safetensors\""), {"x.safetensors", "tiny"}},
     "{}/x.safetensors: header length: found a file of 4 bytes, expected at least 8 bytes"},
    {"tensor_not_in_its_shard",
     {Index("\"a\":\"x.safetensors\",\"b\":\"x.safetensors\""), {"x.safetensors", Shard({"a"})}},
     kIndexPath + "weight_map: \"b\": found \"x.safetensors\", which has no such tensor, expected "
                  "the shard that holds it"},
    {"tensor_not_in_the_index",
     {Index("\"a\":\"x.safetensors\""), {"x.safetensors", Shard({"a", "b"})}},
     "{}/x.safetensors: tensor \"b\": found no entry in the index, expected the index to map it to "
     "this shard"},
    {"tensor_mapped_to_another_shard",
     {Index("\"a\":\"x.safetensors\",\"b\":\"x.safetensors\",\"c\":\"y.safetensors\""),
      {"x.safetensors", Shard({"a"})},
      {"y.safetensors", Shard({"b", "c"})}},
     "{}/y.safetensors: tensor \"b\": found it mapped to \"x.safetensors\", expected the index to "
     "map it to this shard"},
    {"tensor_in_two_shards",
     {Index("\"a\":\"x.safetensors\",\"b\":\"y.safetensors\""),
      {"x.safetensors", Shard({"a"})},
      {"y.safetensors", Shard({"a", "b"})}},
     "{}/y.safetensors: tensor \"a\": found it mapped to \"x.safetensors\", expected the index to "
     "map it to this shard"},
};
INSTANTIATE_TEST_SUITE_P(Shard, MalformedDirectories, ::testing::ValuesIn(kShards),
                         MalformedName());

TEST(SafetensorsDirectory, ReadsTheShardsOfAnIndex) {
  const TempDir dir;
  dir.Write("x.safetensors",
            SafetensorsFile(R"({"__metadata__":{"format":"pt"},)" + Entry("a", "U8", "2", 0, 2) +
                                "," + Entry("b", "U8", "1", 2, 3) + "}",
                            "abc"));
  dir.Write("y.safetensors", SafetensorsOf({Entry("c", "U8", "2", 0, 2)}, "de"));
  dir.Write("unrelated.safetensors", "not read");
  dir.Write(kIndex,
            R"({"metadata":{"total_size":1e99},"weight_map":{"a":"x.safetensors",
                "b":"x.safetensors","c":"y.safetensors"}})");
  const auto file = Safetensors::Open(dir.path());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->path(), dir.path());
  EXPECT_EQ((*file)->Names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ((*file)->metadata().at("format"), "pt");
  EXPECT_EQ(static_cast<char>((*file)->Find("b")->data[0]), 'c');
  EXPECT_EQ(static_cast<char>((*file)->Find("c")->data[1]), 'e');
}

TEST(SafetensorsDirectory, ASingleFileGoesBeforeAnIndex) {
  const TempDir dir;
  dir.Write("model.safetensors", Shard({"single"}));
  dir.Write(kIndex, "not read");
  const auto file = Safetensors::Open(dir.path() + "/");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->Names(), std::vector<std::string>{"single"});
}

TEST(SafetensorsDirectory, TheOnlyFileMayHaveAnyName) {
  const TempDir dir;
  dir.Write("weights.safetensors", Shard({"a"}));
  dir.Write("config.json", "{}");
  const auto file = Safetensors::Open(dir.path());
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->Names(), std::vector<std::string>{"a"});
}

TEST(SafetensorsDirectory, ShardsMayBeSymbolicLinks) {
  const TempDir store;
  const TempDir dir;
  const std::string blob = store.Write("blob", Shard({"a"}));
  std::filesystem::create_symlink(blob, dir.path() + "/x.safetensors");
  dir.Write(kIndex, R"({"weight_map":{"a":"x.safetensors"}})");
  const auto file = Safetensors::Open(dir.path());
  EXPECT_TRUE(file.ok()) << file.status().message();
}

TEST(SafetensorsDirectory, AShardThatIsADirectoryIsRefused) {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() + "/x.safetensors");
  dir.Write(kIndex, R"({"weight_map":{"a":"x.safetensors"}})");
  const auto file = Safetensors::Open(dir.path());
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().message(),
            dir.path() + "/x.safetensors: found a directory, expected a regular file");
}

TEST(SafetensorsDirectory, AMissingPathIsNotFound) {
  const auto file = Safetensors::Open("/no/such/model");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace ringlet
