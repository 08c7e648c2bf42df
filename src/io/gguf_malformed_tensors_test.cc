// Broken GGUF files, each with its exact error: the tensor table and the data it points to.
#include <gtest/gtest.h>

#include "io/gguf.h"
#include "io/test_files.h"

namespace ringlet {
namespace {

class MalformedGgufTensors : public ::testing::TestWithParam<MalformedFile> {};

TEST_P(MalformedGgufTensors, GivesItsError) { ExpectItsError<GgufFile>(GetParam(), ".gguf"); }

constexpr uint64_t kMax = ~uint64_t{0};
constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ4_0 = 2;
constexpr uint32_t kQ8_0 = 8;
constexpr uint32_t kQ6_K = 14;

// A file with the given rows of the tensor table and 64 bytes of data.
std::string Table(const std::vector<std::string>& tensors) {
  return GgufBytes({}, tensors, Zeros(64));
}
std::string OneTensor(const std::vector<uint64_t>& dimensions, uint32_t type, uint64_t offset) {
  return Table({GgufTensor("t", dimensions, type, offset)});
}

const std::string kLongName(65537, 'n');
const MalformedFile kNames[] = {
    {"tensor_name_empty", Table({GgufTensor("", {1}, kF32, 0)}),
     "name of tensor 0: found an empty name, expected a name"},
    {"tensor_name_with_nul", Table({GgufTensor(std::string("a\0", 2), {1}, kF32, 0)}),
     R"(name of tensor 0: found "a\x00", expected UTF-8 without NUL)"},
    {"tensor_name_not_utf8", Table({GgufTensor("\xc3(", {1}, kF32, 0)}),
     R"(name of tensor 0: found "\xc3(", expected UTF-8 without NUL)"},
    {"tensor_name_over_64_kib", Table({GgufTensor(kLongName, {1}, kF32, 0)}),
     "name of tensor 0: found a name of 65537 bytes, expected at most 65536"},
    {"tensor_name_length_max", GgufCounts(1, 0) + Stored(kMax) + Zeros(64),
     "name of tensor 0: found 64 bytes left at byte 32, expected 18446744073709551615 more"},
    {"tensor_name_twice", Table({GgufTensor("t", {1}, kF32, 0), GgufTensor("t", {1}, kF32, 32)}),
     "tensor \"t\": found this name twice, expected each name once"},
    {"tensor_name_twice_same_data",
     Table({GgufTensor("t", {1}, kF32, 0), GgufTensor("t", {1}, kF32, 0)}),
     "tensor \"t\": found this name twice, expected each name once"},
    {"second_tensor_missing",
     GgufCounts(2, 0) + GgufTensor("a name of more than thirty-three bytes", {1}, kF32, 0),
     "name of tensor 1: found 0 bytes left at byte 94, expected 8 more"},
    {"tensor_row_cut_at_type",
     (GgufCounts(1, 0) + GgufTensor("0123456789abcdef", {1}, kF32, 0)).substr(0, 62),
     "tensor \"0123456789abcdef\": type: found 2 bytes left at byte 60, expected 4 more"},
    {"tensor_row_cut_at_offset",
     (GgufCounts(1, 0) + GgufTensor("0123456789abcdef", {1}, kF32, 0)).substr(0, 71),
     "tensor \"0123456789abcdef\": offset: found 7 bytes left at byte 64, expected 8 more"},
    {"tensor_row_cut_at_shape",
     (GgufCounts(1, 0) + GgufTensor("0123456789abcdef", {1}, kF32, 0)).substr(0, 59),
     "tensor \"0123456789abcdef\": shape: found 7 bytes left at byte 52, expected 8 more"},
};
INSTANTIATE_TEST_SUITE_P(Name, MalformedGgufTensors, ::testing::ValuesIn(kNames), MalformedName());

const std::string kSizes = ", expected 1 to 2^48";
const std::string kTooLarge = ", expected a size that fits 63 bits";
constexpr uint64_t kHuge = uint64_t{1} << 48;
const MalformedFile kShapes[] = {
    {"rank_0", Table({GgufTensor("t", {}, kF32, 0)}),
     "tensor \"t\": rank: found 0, expected 1 to 4"},
    {"rank_5", OneTensor({1, 1, 1, 1, 1}, kF32, 0), "tensor \"t\": rank: found 5, expected 1 to 4"},
    {"rank_max", Table({GgufString("t") + Stored(~0u) + Zeros(64)}),
     "tensor \"t\": rank: found 4294967295, expected 1 to 4"},
    {"dimension_0", OneTensor({4, 0}, kF32, 0), "tensor \"t\": dimension 1: found 0" + kSizes},
    {"dimension_0_innermost", OneTensor({0}, kF32, 0),
     "tensor \"t\": dimension 0: found 0" + kSizes},
    {"dimension_minus_1", OneTensor({4, kMax}, kF32, 0),
     "tensor \"t\": dimension 1: found 18446744073709551615" + kSizes},
    {"dimension_2_63", OneTensor({uint64_t{1} << 63}, kF32, 0),
     "tensor \"t\": dimension 0: found 9223372036854775808" + kSizes},
    {"dimension_over_2_48", OneTensor({kHuge + 1}, kF32, 0),
     "tensor \"t\": dimension 0: found 281474976710657" + kSizes},
    {"product_2_64", OneTensor({uint64_t{1} << 32, uint64_t{1} << 32}, kF32, 0),
     "tensor \"t\": shape: found [4294967296, 4294967296]" + kTooLarge},
    {"product_wraps_to_0", OneTensor({kHuge, kHuge, kHuge, kHuge}, kF32, 0),
     "tensor \"t\": shape: found [281474976710656, 281474976710656, 281474976710656, "
     "281474976710656]" +
         kTooLarge},
    {"elements_2_62_bytes_2_64", OneTensor({kHuge, 1 << 14}, kF32, 0),
     "tensor \"t\": shape: found [16384, 281474976710656]" + kTooLarge},
    {"elements_2_63_bytes_less", OneTensor({kHuge, 1 << 15}, kQ4_0, 0),
     "tensor \"t\": shape: found [32768, 281474976710656]" + kTooLarge},
    {"innermost_31_of_q4_0", OneTensor({31}, kQ4_0, 0),
     "tensor \"t\": innermost dimension: found 31, expected a multiple of 32 for Q4_0"},
    {"innermost_33_of_q8_0", OneTensor({33}, kQ8_0, 0),
     "tensor \"t\": innermost dimension: found 33, expected a multiple of 32 for Q8_0"},
    {"innermost_32_of_q6_k", OneTensor({32, 8}, kQ6_K, 0),
     "tensor \"t\": innermost dimension: found 32, expected a multiple of 256 for Q6_K"},
};
INSTANTIATE_TEST_SUITE_P(Shape, MalformedGgufTensors, ::testing::ValuesIn(kShapes),
                         MalformedName());

const std::string kTypes =
    ", expected F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, I8, I16, I32, I64 "
    "or F64";
MalformedFile UnreadType(const std::string& name, uint32_t number) {
  return {"type_" + name, OneTensor({256}, number, 0),
          fmt::format("tensor \"t\": type: found {} ({}){}", number, name, kTypes),
          StatusCode::kUnsupported};
}
const MalformedFile kTypeNumbers[] = {
    UnreadType("Q4_2", 4),
    UnreadType("Q8_1", 9),
    UnreadType("Q2_K", 10),
    UnreadType("Q3_K", 11),
    UnreadType("Q8_K", 15),
    UnreadType("IQ2_XXS", 16),
    UnreadType("IQ3_XXS", 18),
    UnreadType("IQ1_S", 19),
    UnreadType("IQ4_NL", 20),
    UnreadType("IQ4_XS", 23),
    UnreadType("Q4_0_4_4", 31),
    UnreadType("TQ1_0", 34),
    UnreadType("MXFP4", 39),
    UnreadType("NVFP4", 40),
    {"type_42", OneTensor({256}, 42, 0), "tensor \"t\": type: found 42" + kTypes},
    {"type_1000", OneTensor({256}, 1000, 0), "tensor \"t\": type: found 1000" + kTypes},
    {"type_max", OneTensor({256}, ~0u, 0), "tensor \"t\": type: found 4294967295" + kTypes},
};
INSTANTIATE_TEST_SUITE_P(Type, MalformedGgufTensors, ::testing::ValuesIn(kTypeNumbers),
                         MalformedName());

const std::string kOffset = "tensor \"t\": offset: found ";
const std::string kInFile = ", expected an end within the 64 data bytes of the file";
const MalformedFile kPlaces[] = {
    {"offset_1", OneTensor({1}, kF32, 1), kOffset + "1, expected a multiple of 32"},
    {"offset_31", OneTensor({1}, kF32, 31), kOffset + "31, expected a multiple of 32"},
    {"offset_8_of_alignment_16",
     GgufBytes({GgufEntry("general.alignment", kTypeU32, Stored(16u))},
               {GgufTensor("t", {1}, kF32, 8)}, Zeros(64), 16),
     kOffset + "8, expected a multiple of 16"},
    {"offset_max", OneTensor({1}, kF32, kMax),
     kOffset + "18446744073709551615, expected a multiple of 32"},
    {"offset_plus_size_wraps", OneTensor({16}, kF32, kMax - 31),
     kOffset + "18446744073709551584, expected an offset in the file"},
    {"offset_just_below_2_64", OneTensor({4}, kF32, kMax - 31),
     kOffset + "bytes [18446744073709551584, 18446744073709551600)" + kInFile},
    {"offset_at_the_end", OneTensor({1}, kF32, 64), kOffset + "bytes [64, 68)" + kInFile},
    {"offset_beyond_the_end", OneTensor({1}, kF32, 96), kOffset + "bytes [96, 100)" + kInFile},
    {"data_one_byte_short", OneTensor({16}, kF32, 0).substr(0, 127),
     kOffset + "bytes [0, 64), expected an end within the 63 data bytes of the file"},
    {"data_missing", GgufBytes({}, {GgufTensor("t", {1}, kF32, 0)}, ""),
     kOffset + "bytes [0, 4), expected an end within the 0 data bytes of the file"},
    {"padding_missing", GgufCounts(1, 0) + GgufTensor("t", {1}, kF32, 0),
     kOffset + "bytes [0, 4), expected an end within the 0 data bytes of the file"},
    {"row_too_many", OneTensor({4, 5}, kF32, 0), kOffset + "bytes [0, 80)" + kInFile},
    {"blocks_beyond_the_end", OneTensor({128}, kQ4_0, 0), kOffset + "bytes [0, 72)" + kInFile},
    {"larger_than_the_file", OneTensor({1000000, 1000000}, kF32, 0),
     kOffset + "bytes [0, 4000000000000)" + kInFile},
    {"overlap_whole", Table({GgufTensor("s", {4}, kF32, 0), GgufTensor("t", {8}, kF32, 0)}),
     kOffset + "bytes [0, 32), expected no byte of another tensor, which ends at 16"},
    {"overlap_partly", Table({GgufTensor("s", {9}, kF32, 0), GgufTensor("t", {8}, kF32, 32)}),
     kOffset + "bytes [32, 64), expected no byte of another tensor, which ends at 36"},
    {"overlap_in_reverse_order",
     Table({GgufTensor("t", {8}, kF32, 32), GgufTensor("s", {9}, kF32, 0)}),
     kOffset + "bytes [32, 64), expected no byte of another tensor, which ends at 36"},
};
INSTANTIATE_TEST_SUITE_P(Place, MalformedGgufTensors, ::testing::ValuesIn(kPlaces),
                         MalformedName());

}  // namespace
}  // namespace ringlet
