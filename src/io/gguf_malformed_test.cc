// Broken GGUF files, each with its exact error: header, counts and metadata here; tensors in
// gguf_malformed_tensors_test.cc.
#include <gtest/gtest.h>

#include "io/gguf.h"
#include "io/test_files.h"

namespace ringlet {
namespace {

class MalformedGguf : public ::testing::TestWithParam<MalformedFile> {};

TEST_P(MalformedGguf, GivesItsError) { ExpectItsError<GgufFile>(GetParam(), ".gguf"); }

constexpr uint64_t kMax = ~uint64_t{0};
constexpr auto kUnsupported = StatusCode::kUnsupported;

const std::string kVersions = ", expected 2 or 3, little-endian";
const MalformedFile kHeaders[] = {
    {"empty_file", "", "magic: found 0 bytes left at byte 0, expected 4 more"},
    {"three_bytes", "GGU", "magic: found 3 bytes left at byte 0, expected 4 more"},
    {"magic_only", "GGUF", "version: found 0 bytes left at byte 4, expected 4 more"},
    {"magic_zero", Zeros(64), R"(magic: found "\x00\x00\x00\x00", expected "GGUF")"},
    {"magic_lower_case", "gguf" + Zeros(60), R"(magic: found "gguf", expected "GGUF")"},
    {"magic_reversed", "FUGG" + Zeros(60), R"(magic: found "FUGG", expected "GGUF")"},
    {"magic_ggjt", "tjgg" + Zeros(60), R"(magic: found "tjgg", expected "GGUF")"},
    {"magic_safetensors", SafetensorsFile("{}", ""),
     R"(magic: found "\x02\x00\x00\x00", expected "GGUF")"},
    {"magic_json", "{\"a\": 1}", R"(magic: found "{\"a\"", expected "GGUF")"},
    {"version_cut", "GGUF\x03", "version: found 1 bytes left at byte 4, expected 4 more"},
    {"version_0", GgufCounts(0, 0, 0), "version: found 0" + kVersions, kUnsupported},
    {"version_1", GgufCounts(0, 0, 1), "version: found 1" + kVersions, kUnsupported},
    {"version_4", GgufCounts(0, 0, 4), "version: found 4" + kVersions, kUnsupported},
    {"version_max", GgufCounts(0, 0, ~0u), "version: found 4294967295" + kVersions, kUnsupported},
    {"version_3_big_endian", GgufCounts(0, 0, 0x03000000),
     "version: found 3 (big-endian)" + kVersions, kUnsupported},
    {"version_2_big_endian", GgufCounts(0, 0, 0x02000000),
     "version: found 2 (big-endian)" + kVersions, kUnsupported},
    {"tensor_count_missing", "GGUF" + Stored(3u),
     "tensor count: found 0 bytes left at byte 8, expected 8 more"},
    {"tensor_count_cut", "GGUF" + Stored(3u) + Zeros(7),
     "tensor count: found 7 bytes left at byte 8, expected 8 more"},
    {"metadata_count_missing", "GGUF" + Stored(3u) + Zeros(8),
     "metadata count: found 0 bytes left at byte 16, expected 8 more"},
    {"version_1_counts_of_32_bits", "GGUF" + Stored(3u) + Stored(0u) + Stored(0u),
     "metadata count: found 0 bytes left at byte 16, expected 8 more"},
};
INSTANTIATE_TEST_SUITE_P(Header, MalformedGguf, ::testing::ValuesIn(kHeaders), MalformedName());

const MalformedFile kCounts[] = {
    {"tensors_1_of_0", GgufCounts(1, 0),
     "tensor count: found 1, expected at most 0 in the 0 bytes left"},
    {"tensors_2_of_1", GgufCounts(2, 0) + GgufTensor("a", {1}, 0, 0),
     "tensor count: found 2, expected at most 1 in the 33 bytes left"},
    {"tensors_2_31", GgufCounts(uint64_t{1} << 31, 0) + Zeros(64),
     "tensor count: found 2147483648, expected at most 1 in the 64 bytes left"},
    {"tensors_2_32", GgufCounts(uint64_t{1} << 32, 0) + Zeros(64),
     "tensor count: found 4294967296, expected at most 1 in the 64 bytes left"},
    {"tensors_2_63", GgufCounts(uint64_t{1} << 63, 0) + Zeros(64),
     "tensor count: found 9223372036854775808, expected at most 1 in the 64 bytes left"},
    {"tensors_max", GgufCounts(kMax, 0) + Zeros(64),
     "tensor count: found 18446744073709551615, expected at most 1 in the 64 bytes left"},
    {"keys_1_of_0", GgufCounts(0, 1),
     "metadata count: found 1, expected at most 0 in the 0 bytes left"},
    {"keys_2_of_1", GgufCounts(0, 2) + GgufEntry("a", kTypeU8, Zeros(1)),
     "metadata count: found 2, expected at most 1 in the 14 bytes left"},
    {"keys_2_32", GgufCounts(0, uint64_t{1} << 32) + Zeros(64),
     "metadata count: found 4294967296, expected at most 4 in the 64 bytes left"},
    {"keys_max", GgufCounts(0, kMax) + Zeros(64),
     "metadata count: found 18446744073709551615, expected at most 4 in the 64 bytes left"},
    {"both_counts_max", GgufCounts(kMax, kMax) + Zeros(64),
     "tensor count: found 18446744073709551615, expected at most 1 in the 64 bytes left"},
    // 2^64 / 33 and 2^64 / 14: counts whose product with an entry's size wraps around.
    {"tensors_product_wraps", GgufCounts(558992244657865201, 0) + Zeros(64),
     "tensor count: found 558992244657865201, expected at most 1 in the 64 bytes left"},
    {"keys_product_wraps", GgufCounts(0, 1317624576693539402) + Zeros(64),
     "metadata count: found 1317624576693539402, expected at most 4 in the 64 bytes left"},
};
INSTANTIATE_TEST_SUITE_P(Count, MalformedGguf, ::testing::ValuesIn(kCounts), MalformedName());

// A file whose one metadata entry is `entry`, followed by bytes that count as room for it.
std::string OneEntry(std::string_view entry, size_t room = 0) {
  return GgufCounts(0, 1) + std::string(entry) + Zeros(room);
}

const std::string kLongKey(65537, 'k');
const MalformedFile kKeys[] = {
    {"key_empty", OneEntry(GgufEntry("", kTypeU32, Zeros(4))),
     "metadata key 0: found an empty name, expected a name"},
    {"key_with_nul", OneEntry(GgufEntry(std::string("a\0b", 3), kTypeU32, Zeros(4))),
     R"(metadata key 0: found "a\x00b", expected UTF-8 without NUL)"},
    {"key_not_utf8", OneEntry(GgufEntry("a\xff", kTypeU32, Zeros(4))),
     R"(metadata key 0: found "a\xff", expected UTF-8 without NUL)"},
    {"key_with_surrogate", OneEntry(GgufEntry("\xed\xa0\x80", kTypeU32, Zeros(4))),
     R"(metadata key 0: found "\xed\xa0\x80", expected UTF-8 without NUL)"},
    {"key_over_64_kib", OneEntry(GgufEntry(kLongKey, kTypeU32, Zeros(4))),
     "metadata key 0: found a name of 65537 bytes, expected at most 65536"},
    {"key_length_beyond_file", OneEntry(Stored(uint64_t{100}) + "short", 10),
     "metadata key 0: found 15 bytes left at byte 32, expected 100 more"},
    {"key_length_2_32", OneEntry(Stored(uint64_t{1} << 32) + "short", 10),
     "metadata key 0: found 15 bytes left at byte 32, expected 4294967296 more"},
    {"key_length_max", OneEntry(Stored(kMax) + "short", 10),
     "metadata key 0: found 15 bytes left at byte 32, expected 18446744073709551615 more"},
    {"key_length_minus_32", OneEntry(Stored(kMax - 31) + "short", 10),
     "metadata key 0: found 15 bytes left at byte 32, expected 18446744073709551584 more"},
    {"second_key_missing",
     GgufCounts(0, 2) + GgufEntry("k", kTypeString, GgufString("sixteen bytes...")),
     "metadata key 1: found 0 bytes left at byte 61, expected 8 more"},
    {"key_twice", GgufBytes({GgufEntry("k", kTypeU8, "a"), GgufEntry("k", kTypeU8, "a")}, {}, ""),
     "metadata \"k\": found this key twice, expected each key once"},
    {"key_twice_other_type",
     GgufBytes({GgufEntry("k", kTypeU8, "a"), GgufEntry("j", kTypeU8, "a"),
                GgufEntry("k", kTypeString, GgufString("x"))},
               {}, ""),
     "metadata \"k\": found this key twice, expected each key once"},
    {"key_twice_second_broken",
     GgufBytes({GgufEntry("k", kTypeU8, "a"), GgufEntry("k", kTypeBool, "\x02")}, {}, ""),
     "metadata \"k\": found boolean 2, expected 0 or 1"},
};
INSTANTIATE_TEST_SUITE_P(Key, MalformedGguf, ::testing::ValuesIn(kKeys), MalformedName());

const MalformedFile kValues[] = {
    {"type_13", OneEntry(GgufEntry("k", 13, Zeros(8))),
     "metadata \"k\": type: found 13, expected 0 to 12"},
    {"type_max", OneEntry(GgufEntry("k", ~0u, Zeros(8))),
     "metadata \"k\": type: found 4294967295, expected 0 to 12"},
    {"type_2_31", OneEntry(GgufEntry("k", 0x80000000u, Zeros(8))),
     "metadata \"k\": type: found 2147483648, expected 0 to 12"},
    {"type_cut", OneEntry(GgufString("name11bytes") + Zeros(3)).substr(0, 46),
     "metadata \"name11bytes\": type: found 3 bytes left at byte 43, expected 4 more"},
    {"u16_cut", OneEntry(GgufEntry("k", kTypeU16, Zeros(1))),
     "metadata \"k\": found 1 bytes left at byte 37, expected 2 more"},
    {"u32_cut", OneEntry(GgufEntry("k", kTypeU32, Zeros(3))),
     "metadata \"k\": found 3 bytes left at byte 37, expected 4 more"},
    {"f32_cut", OneEntry(GgufEntry("k", kTypeF32, Zeros(2))),
     "metadata \"k\": found 2 bytes left at byte 37, expected 4 more"},
    {"u64_cut", OneEntry(GgufEntry("k", kTypeU64, Zeros(7))),
     "metadata \"k\": found 7 bytes left at byte 37, expected 8 more"},
    {"i64_cut", OneEntry(GgufEntry("k", kTypeI64, Zeros(4))),
     "metadata \"k\": found 4 bytes left at byte 37, expected 8 more"},
    {"f64_cut", OneEntry(GgufEntry("k", kTypeF64, Zeros(1))),
     "metadata \"k\": found 1 bytes left at byte 37, expected 8 more"},
    {"u64_over_2_63", OneEntry(GgufEntry("k", kTypeU64, Stored(uint64_t{1} << 63))),
     "metadata \"k\": found 9223372036854775808, expected at most 2^63 - 1"},
    {"u64_max", OneEntry(GgufEntry("k", kTypeU64, Stored(kMax))),
     "metadata \"k\": found 18446744073709551615, expected at most 2^63 - 1"},
    {"bool_2", OneEntry(GgufEntry("k", kTypeBool, "\x02")),
     "metadata \"k\": found boolean 2, expected 0 or 1"},
    {"bool_255", OneEntry(GgufEntry("k", kTypeBool, "\xff")),
     "metadata \"k\": found boolean 255, expected 0 or 1"},
    {"string_length_cut", OneEntry(GgufEntry("k", kTypeString, Zeros(5))),
     "metadata \"k\": found 5 bytes left at byte 37, expected 8 more"},
    {"string_beyond_file", OneEntry(GgufEntry("k", kTypeString, Stored(uint64_t{9}) + "eight...")),
     "metadata \"k\": found 8 bytes left at byte 45, expected 9 more"},
    {"string_length_2_62", OneEntry(GgufEntry("k", kTypeString, Stored(uint64_t{1} << 62) + "x")),
     "metadata \"k\": found 1 bytes left at byte 45, expected 4611686018427387904 more"},
    {"string_length_max", OneEntry(GgufEntry("k", kTypeString, Stored(kMax) + "x")),
     "metadata \"k\": found 1 bytes left at byte 45, expected 18446744073709551615 more"},
};
INSTANTIATE_TEST_SUITE_P(Value, MalformedGguf, ::testing::ValuesIn(kValues), MalformedName());

const std::string kLength = "metadata \"k\": array length: found ";
const MalformedFile kArrays[] = {
    {"array_type_missing", OneEntry(GgufEntry("k", kTypeArray, Zeros(1))),
     "metadata \"k\": element type: found 1 bytes left at byte 37, expected 4 more"},
    {"array_type_13", OneEntry(GgufArray("k", 13, 1, Zeros(8))),
     "metadata \"k\": element type: found 13, expected 0 to 12"},
    {"array_length_cut", OneEntry(GgufEntry("k", kTypeArray, Stored(kTypeU8) + Zeros(3))),
     kLength + "3 bytes left at byte 41, expected 8 more"},
    {"array_one_too_long", OneEntry(GgufArray("k", kTypeU32, 3, Zeros(8))),
     kLength + "3, expected at most 2 in the 8 bytes left"},
    {"array_2_31", OneEntry(GgufArray("k", kTypeU8, uint64_t{1} << 31, Zeros(8))),
     kLength + "2147483648, expected at most 8 in the 8 bytes left"},
    {"array_2_63", OneEntry(GgufArray("k", kTypeU64, uint64_t{1} << 63, Zeros(8))),
     kLength + "9223372036854775808, expected at most 1 in the 8 bytes left"},
    {"array_max", OneEntry(GgufArray("k", kTypeF64, kMax, Zeros(8))),
     kLength + "18446744073709551615, expected at most 1 in the 8 bytes left"},
    // 2^61 + 1 values of 8 bytes: the byte count wraps to 8.
    {"array_product_wraps", OneEntry(GgufArray("k", kTypeI64, (uint64_t{1} << 61) + 1, Zeros(8))),
     kLength + "2305843009213693953, expected at most 1 in the 8 bytes left"},
    {"array_of_strings_max", OneEntry(GgufArray("k", kTypeString, kMax, Zeros(8))),
     kLength + "18446744073709551615, expected at most 1 in the 8 bytes left"},
    {"array_of_strings_too_long", OneEntry(GgufArray("k", kTypeString, 2, GgufString("seven.."))),
     kLength + "2, expected at most 1 in the 15 bytes left"},
    {"array_string_beyond_file",
     OneEntry(GgufArray("k", kTypeString, 2, GgufString("a") + Stored(uint64_t{2}) + "b")),
     "metadata \"k\": found 1 bytes left at byte 66, expected 2 more"},
    {"array_string_length_max",
     OneEntry(GgufArray("k", kTypeString, 2, GgufString("a") + Stored(kMax) + "b")),
     "metadata \"k\": found 1 bytes left at byte 66, expected 18446744073709551615 more"},
    {"array_string_missing", OneEntry(GgufArray("k", kTypeString, 2, GgufString("eight...") + "x")),
     "metadata \"k\": found 1 bytes left at byte 65, expected 8 more"},
    {"array_bool_2", OneEntry(GgufArray("k", kTypeBool, 3, std::string("\x00\x01\x02", 3))),
     "metadata \"k\": found boolean 2, expected 0 or 1"},
    {"array_u64_over_2_63",
     OneEntry(GgufArray("k", kTypeU64, 2, Stored(uint64_t{1}) + Stored(kMax))),
     "metadata \"k\": found 18446744073709551615, expected at most 2^63 - 1"},
    {"array_of_arrays",
     OneEntry(GgufArray("k", kTypeArray, 1, Stored(kTypeU8) + Stored(uint64_t{1}) + "x")),
     "metadata \"k\": found an array of arrays, expected an array of plain values", kUnsupported},
    {"array_of_arrays_empty", OneEntry(GgufArray("k", kTypeArray, 0, "")),
     "metadata \"k\": found an array of arrays, expected an array of plain values", kUnsupported},
    {"array_over_2_24", OneEntry(GgufArray("k", kTypeU8, 16777217, Zeros(16777217))),
     kLength + "16777217, expected at most 16777216"},
};
INSTANTIATE_TEST_SUITE_P(Array, MalformedGguf, ::testing::ValuesIn(kArrays), MalformedName());

std::string Alignment(uint32_t value) {
  return OneEntry(GgufEntry("general.alignment", kTypeU32, Stored(value)));
}
const std::string kAlignment = "metadata \"general.alignment\": found ";
const std::string kPower = ", expected a power of two up to 1048576";
const MalformedFile kMeanings[] = {
    {"alignment_0", Alignment(0), kAlignment + "0" + kPower},
    {"alignment_3", Alignment(3), kAlignment + "3" + kPower},
    {"alignment_33", Alignment(33), kAlignment + "33" + kPower},
    {"alignment_2_21", Alignment(1u << 21), kAlignment + "2097152" + kPower},
    {"alignment_2_31", Alignment(1u << 31), kAlignment + "2147483648" + kPower},
    {"alignment_max", Alignment(~0u), kAlignment + "4294967295" + kPower},
    {"alignment_u64", OneEntry(GgufEntry("general.alignment", kTypeU64, Stored(uint64_t{32}))),
     kAlignment + "u64, expected u32"},
    {"alignment_i32", OneEntry(GgufEntry("general.alignment", kTypeI32, Stored(32))),
     kAlignment + "i32, expected u32"},
    {"alignment_string", OneEntry(GgufEntry("general.alignment", kTypeString, GgufString("32"))),
     kAlignment + "string, expected u32"},
    {"alignment_array", OneEntry(GgufArray("general.alignment", kTypeU32, 1, Stored(32u))),
     kAlignment + "array, expected u32"},
    {"split_of_3", OneEntry(GgufEntry("split.count", kTypeU16, Stored(uint16_t{3}))),
     "metadata \"split.count\": found 3, expected 1, a model in one file (merge the parts first)",
     kUnsupported},
    {"split_count_string", OneEntry(GgufEntry("split.count", kTypeString, GgufString("3"))),
     "metadata \"split.count\": found another type, expected an integer"},
};
INSTANTIATE_TEST_SUITE_P(Meaning, MalformedGguf, ::testing::ValuesIn(kMeanings), MalformedName());

}  // namespace
}  // namespace ringlet
