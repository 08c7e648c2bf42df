// Broken safetensors files, each with its exact error: names, fields, shapes, ranges, coverage.
#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "io/test_files.h"

namespace ringlet {
namespace {

class MalformedTensors : public ::testing::TestWithParam<MalformedFile> {};

TEST_P(MalformedTensors, GivesItsError) { ExpectItsError<Safetensors>(GetParam(), ".safetensors"); }

std::string Header(std::string_view header) { return SafetensorsFile(header, ""); }

// A file of the given entries and a data section of `data_bytes` bytes.
std::string Tensors(const std::vector<std::string>& entries, size_t data_bytes) {
  return SafetensorsOf(entries, Zeros(data_bytes));
}

// One tensor "a" whose fields are written out.
std::string Fields(std::string_view dtype, std::string_view shape, std::string_view offsets,
                   size_t data_bytes = 4) {
  return SafetensorsFile(
      fmt::format(R"({{"a":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape, offsets),
      Zeros(data_bytes));
}
std::string DType(std::string_view json) { return Fields(json, "[4]", "[0,4]"); }
std::string Shape(std::string_view json) { return Fields("\"U8\"", json, "[0,4]"); }
std::string Offsets(std::string_view json) { return Fields("\"U8\"", "[4]", json); }

std::string Repeat(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

const std::string kLongName(65537, 'n');
const std::string kLongNameShown = '"' + std::string(60, 'n') + "...\"";
const std::string kNothing = "an object of dtype, shape and data_offsets";

const MalformedFile kNames[] = {
    {"empty_name", Tensors({Entry("", "U8", "4", 0, 4)}, 4),
     "header: found an empty tensor name, expected a name"},
    {"nul_in_name", Tensors({Entry("a\\u0000b", "U8", "4", 0, 4)}, 4),
     "tensor \"a\\x00b\": found a NUL in the name, expected none"},
    {"name_over_64_kib", Tensors({Entry(kLongName, "U8", "4", 0, 4)}, 4),
     "tensor " + kLongNameShown + ": found a name of 65537 bytes, expected at most 65536"},
    {"name_twice", Tensors({Entry("a", "U8", "4", 0, 4), Entry("a", "U8", "4", 0, 4)}, 4),
     "tensor \"a\": found this name twice, expected each name once"},
    {"name_twice_other_shape",
     Tensors({Entry("a", "F32", "2,2", 0, 16), Entry("a", "F32", "4", 0, 16)}, 16),
     "tensor \"a\": found this name twice, expected each name once"},
    {"name_twice_escaped",
     Tensors({Entry("a", "U8", "4", 0, 4), Entry("\\u0061", "U8", "4", 0, 4)}, 4),
     "tensor \"a\": found this name twice, expected each name once"},
    {"name_twice_first_range_invalid",
     Tensors({Entry("a", "U8", "4", 90, 94), Entry("a", "U8", "4", 0, 4)}, 4),
     "tensor \"a\": data_offsets: found [90, 94], expected an end within the 4 data bytes of the "
     "file"},
    {"name_twice_apart",
     Tensors(
         {Entry("a", "U8", "2", 0, 2), Entry("b", "U8", "1", 2, 3), Entry("a", "U8", "1", 3, 4)},
         4),
     "tensor \"a\": found this name twice, expected each name once"},
};
INSTANTIATE_TEST_SUITE_P(Name, MalformedTensors, ::testing::ValuesIn(kNames), MalformedName());

const MalformedFile kEntries[] = {
    {"tensor_null", Header(R"({"a":null})"), "tensor \"a\": found null, expected " + kNothing},
    {"tensor_number", Header(R"({"a":1})"), "tensor \"a\": found 1, expected " + kNothing},
    {"tensor_string", Header(R"({"a":"x"})"), "tensor \"a\": found \"x\", expected " + kNothing},
    {"tensor_false", Header(R"({"a":false})"), "tensor \"a\": found false, expected " + kNothing},
    {"tensor_as_array", Header(R"({"a":["U8",[0],[0,0]]})"),
     "tensor \"a\": found an array, expected " + kNothing},
    {"nested_200k", Header("{\"a\":" + Repeat("[", 200000) + Repeat("]", 200000) + "}"),
     "tensor \"a\": found an array, expected " + kNothing},
    {"tensor_empty", Header(R"({"a":{}})"),
     "tensor \"a\": dtype: found nothing, expected this field"},
    {"no_dtype", Header(R"({"a":{"shape":[0],"data_offsets":[0,0]}})"),
     "tensor \"a\": dtype: found nothing, expected this field"},
    {"no_shape", Header(R"({"a":{"dtype":"U8","data_offsets":[0,0]}})"),
     "tensor \"a\": shape: found nothing, expected this field"},
    {"no_offsets", Header(R"({"a":{"dtype":"U8","shape":[0]}})"),
     "tensor \"a\": data_offsets: found nothing, expected this field"},
    {"unknown_field", Header(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})"),
     "tensor \"a\": found field \"x\", expected only dtype, shape and data_offsets"},
    {"field_in_capitals", Header(R"({"a":{"DTYPE":"U8","shape":[0],"data_offsets":[0,0]}})"),
     "tensor \"a\": found field \"DTYPE\", expected only dtype, shape and data_offsets"},
    {"dtype_twice", Header(R"({"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}})"),
     "tensor \"a\": dtype: found this field twice, expected each field once"},
    {"shape_twice", Header(R"({"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})"),
     "tensor \"a\": shape: found this field twice, expected each field once"},
    {"offsets_twice",
     Header(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"data_off\u0073ets":[0,0]}})"),
     "tensor \"a\": data_offsets: found this field twice, expected each field once"},
};
INSTANTIATE_TEST_SUITE_P(Entry, MalformedTensors, ::testing::ValuesIn(kEntries), MalformedName());

const std::string kDTypeNames = "F32, F16, BF16, F8_E4M3, I64, I32, I16, I8, U8, BOOL or F64";
const MalformedFile kDTypes[] = {
    {"dtype_unknown", DType("\"F33\""),
     "tensor \"a\": dtype: found \"F33\", expected " + kDTypeNames},
    {"dtype_lower_case", DType("\"u8\""),
     "tensor \"a\": dtype: found \"u8\", expected " + kDTypeNames},
    {"dtype_with_space", DType("\"U8 \""),
     "tensor \"a\": dtype: found \"U8 \", expected " + kDTypeNames},
    {"dtype_empty", DType("\"\""), "tensor \"a\": dtype: found \"\", expected " + kDTypeNames},
    {"dtype_of_gguf", DType("\"Q4_0\""),
     "tensor \"a\": dtype: found \"Q4_0\", expected " + kDTypeNames},
    {"dtype_u16", DType("\"U16\""), "tensor \"a\": dtype: found \"U16\", expected " + kDTypeNames,
     StatusCode::kUnsupported},
    {"dtype_f8_e5m2", DType("\"F8_E5M2\""),
     "tensor \"a\": dtype: found \"F8_E5M2\", expected " + kDTypeNames, StatusCode::kUnsupported},
    {"dtype_f4", DType("\"F4\""), "tensor \"a\": dtype: found \"F4\", expected " + kDTypeNames,
     StatusCode::kUnsupported},
    {"dtype_c64", DType("\"C64\""), "tensor \"a\": dtype: found \"C64\", expected " + kDTypeNames,
     StatusCode::kUnsupported},
    {"dtype_number", DType("7"), "tensor \"a\": dtype: found 7, expected a string"},
    {"dtype_null", DType("null"), "tensor \"a\": dtype: found null, expected a string"},
    {"dtype_array", DType("[\"U8\"]"), "tensor \"a\": dtype: found an array, expected a string"},
    {"dtype_object", DType("{}"), "tensor \"a\": dtype: found an object, expected a string"},
};
INSTANTIATE_TEST_SUITE_P(DType, MalformedTensors, ::testing::ValuesIn(kDTypes), MalformedName());

const std::string kIsNoShape = ", expected an array of integers";
const std::string kIsNoSize = ", expected integers from 0 to 2^48";
const std::string kTooLarge = ", expected a size that fits 63 bits";
const MalformedFile kShapes[] = {
    {"shape_number", Shape("4"), "tensor \"a\": shape: found 4" + kIsNoShape},
    {"shape_string", Shape("\"4\""), "tensor \"a\": shape: found \"4\"" + kIsNoShape},
    {"shape_null", Shape("null"), "tensor \"a\": shape: found null" + kIsNoShape},
    {"shape_object", Shape("{}"), "tensor \"a\": shape: found an object" + kIsNoShape},
    {"size_negative", Shape("[-4]"), "tensor \"a\": shape: found -4" + kIsNoSize},
    {"size_minus_zero", Shape("[-0]"), "tensor \"a\": shape: found -0" + kIsNoSize},
    {"size_float", Shape("[4.0]"), "tensor \"a\": shape: found 4.0" + kIsNoSize},
    {"size_exponent", Shape("[4e0]"), "tensor \"a\": shape: found 4e0" + kIsNoSize},
    {"size_string", Shape("[\"4\"]"), "tensor \"a\": shape: found \"4\"" + kIsNoSize},
    {"size_null", Shape("[null]"), "tensor \"a\": shape: found null" + kIsNoSize},
    {"size_true", Shape("[true]"), "tensor \"a\": shape: found true" + kIsNoSize},
    {"size_array", Shape("[[4]]"), "tensor \"a\": shape: found an array" + kIsNoSize},
    {"size_object", Shape("[{}]"), "tensor \"a\": shape: found an object" + kIsNoSize},
    {"size_over_2_48", Shape("[281474976710657]"),
     "tensor \"a\": shape: found 281474976710657" + kIsNoSize},
    {"size_2_63", Shape("[9223372036854775808]"),
     "tensor \"a\": shape: found 9223372036854775808" + kIsNoSize},
    {"size_2_64", Shape("[18446744073709551616]"),
     "tensor \"a\": shape: found 18446744073709551616" + kIsNoSize},
    {"size_of_60_digits", Shape("[" + Repeat("9", 60) + "]"),
     "tensor \"a\": shape: found " + Repeat("9", 40) + "..." + kIsNoSize},
    {"rank_9", Shape("[1,1,1,1,1,1,1,1,4]"),
     "tensor \"a\": shape: found more than 8 dimensions, expected at most 8"},
    {"rank_100001", Shape("[" + Repeat("1,", 100000) + "4]"),
     "tensor \"a\": shape: found more than 8 dimensions, expected at most 8"},
    {"product_2_64", Shape("[4294967296,4294967296]"),
     "tensor \"a\": shape: found [4294967296, 4294967296]" + kTooLarge},
    {"product_wraps_to_4", Fields("\"F32\"", "[4294967296,4294967296,1]", "[0,4]"),
     "tensor \"a\": shape: found [4294967296, 4294967296, 1]" + kTooLarge},
    {"product_2_63", Shape("[281474976710656,32768]"),
     "tensor \"a\": shape: found [281474976710656, 32768]" + kTooLarge},
    {"bytes_2_64", Fields("\"F64\"", "[281474976710656,8192]", "[0,4]"),
     "tensor \"a\": shape: found [281474976710656, 8192]" + kTooLarge},
    {"product_zero_first", Shape("[0,4294967296,4294967296]"),
     "tensor \"a\": shape: found [0, 4294967296, 4294967296]" + kTooLarge},
    {"product_zero_last", Shape("[4294967296,4294967296,0]"),
     "tensor \"a\": shape: found [4294967296, 4294967296, 0]" + kTooLarge},
};
INSTANTIATE_TEST_SUITE_P(Shape, MalformedTensors, ::testing::ValuesIn(kShapes), MalformedName());

const std::string kTwoOffsets = ", expected two byte offsets, begin and end";
const std::string kInFile = ", expected an end within the 4 data bytes of the file";
const MalformedFile kOffsets[] = {
    {"offsets_number", Offsets("4"),
     "tensor \"a\": data_offsets: found 4, expected an array of integers"},
    {"offsets_null", Offsets("null"),
     "tensor \"a\": data_offsets: found null, expected an array of integers"},
    {"offsets_object", Offsets("{}"),
     "tensor \"a\": data_offsets: found an object, expected an array of integers"},
    {"offsets_empty", Offsets("[]"), "tensor \"a\": data_offsets: found 0 numbers" + kTwoOffsets},
    {"offsets_one", Offsets("[4]"), "tensor \"a\": data_offsets: found 1 numbers" + kTwoOffsets},
    {"offsets_three", Offsets("[0,4,4]"),
     "tensor \"a\": data_offsets: found more than 2 numbers" + kTwoOffsets},
    {"offset_negative", Offsets("[-4,0]"), "tensor \"a\": data_offsets: found -4" + kTwoOffsets},
    {"offset_float", Offsets("[0,4.0]"), "tensor \"a\": data_offsets: found 4.0" + kTwoOffsets},
    {"offset_string", Offsets("[\"0\",4]"),
     "tensor \"a\": data_offsets: found \"0\"" + kTwoOffsets},
    {"offset_null", Offsets("[null,4]"), "tensor \"a\": data_offsets: found null" + kTwoOffsets},
    {"offset_array", Offsets("[[0],4]"),
     "tensor \"a\": data_offsets: found an array" + kTwoOffsets},
    {"offset_2_64", Offsets("[0,18446744073709551616]"),
     "tensor \"a\": data_offsets: found 18446744073709551616" + kTwoOffsets},
    {"offset_overflow_float", Offsets("[0,1e999]"),
     "header: found bad JSON at byte 54 (number overflow parsing '1e999'), expected JSON"},
    {"offset_max", Offsets("[0,18446744073709551615]"),
     "tensor \"a\": data_offsets: found [0, 18446744073709551615]" + kInFile},
    {"offsets_wrap", Offsets("[18446744073709551612,18446744073709551615]"),
     "tensor \"a\": data_offsets: found [18446744073709551612, 18446744073709551615]" + kInFile},
    {"offsets_swapped", Offsets("[4,0]"),
     "tensor \"a\": data_offsets: found [4, 0], expected begin <= end"},
    {"offsets_beyond_file", Offsets("[1,5]"), "tensor \"a\": data_offsets: found [1, 5]" + kInFile},
    {"offsets_too_short", Offsets("[0,3]"),
     "tensor \"a\": data_offsets: found [0, 3], expected 4 bytes for U8 [4]"},
    {"offsets_too_long", Fields("\"U8\"", "[3]", "[0,4]"),
     "tensor \"a\": data_offsets: found [0, 4], expected 3 bytes for U8 [3]"},
    {"offsets_count_elements", Fields("\"F32\"", "[4]", "[0,4]"),
     "tensor \"a\": data_offsets: found [0, 4], expected 16 bytes for F32 [4]"},
    {"scalar_of_no_bytes", Fields("\"F32\"", "[]", "[0,0]"),
     "tensor \"a\": data_offsets: found [0, 0], expected 4 bytes for F32 []"},
    {"empty_tensor_with_bytes", Fields("\"U8\"", "[0,7]", "[0,4]"),
     "tensor \"a\": data_offsets: found [0, 4], expected 0 bytes for U8 [0, 7]"},
    {"huge_tensor_small_file", Fields("\"F32\"", "[1000000,1000000]", "[0,4000000000000]"),
     "tensor \"a\": data_offsets: found [0, 4000000000000]" + kInFile},
};
INSTANTIATE_TEST_SUITE_P(Offset, MalformedTensors, ::testing::ValuesIn(kOffsets), MalformedName());

const MalformedFile kCoverage[] = {
    {"hole_at_start", Tensors({Entry("a", "U8", "4", 4, 8)}, 8),
     "tensor \"a\": data_offsets: found [4, 8], a hole, expected begin 0, where the tensor before "
     "it ends"},
    {"hole_between", Tensors({Entry("a", "U8", "4", 0, 4), Entry("b", "U8", "3", 5, 8)}, 8),
     "tensor \"b\": data_offsets: found [5, 8], a hole, expected begin 4, where the tensor before "
     "it ends"},
    {"bytes_after_last_tensor", Tensors({Entry("a", "U8", "4", 0, 4)}, 5),
     "data: found 5 bytes, expected 4, where the last tensor ends"},
    {"zip_after_last_tensor",
     SafetensorsOf({Entry("a", "U8", "4", 0, 4)}, Zeros(4) + "PK\x05\x06" + Zeros(18)),
     "data: found 26 bytes, expected 4, where the last tensor ends"},
    {"data_without_tensors", SafetensorsFile("{}", "data"),
     "data: found 4 bytes, expected 0, where the last tensor ends"},
    {"one_byte_short", Tensors({Entry("a", "U8", "4", 0, 4)}, 3),
     "tensor \"a\": data_offsets: found [0, 4], expected an end within the 3 data bytes of the "
     "file"},
    {"overlap_by_one", Tensors({Entry("a", "U8", "4", 0, 4), Entry("b", "U8", "4", 3, 7)}, 7),
     "tensor \"b\": data_offsets: found [3, 7], an overlap, expected begin 4, where the tensor "
     "before it ends"},
    {"overlap_whole", Tensors({Entry("a", "U8", "4", 0, 4), Entry("b", "U8", "4", 0, 4)}, 4),
     "tensor \"b\": data_offsets: found [0, 4], an overlap, expected begin 4, where the tensor "
     "before it ends"},
    {"overlap_nested", Tensors({Entry("a", "U8", "8", 0, 8), Entry("b", "U8", "2", 2, 4)}, 8),
     "tensor \"b\": data_offsets: found [2, 4], an overlap, expected begin 8, where the tensor "
     "before it ends"},
    {"overlap_in_reverse_order",
     Tensors({Entry("b", "U8", "4", 2, 6), Entry("a", "U8", "4", 0, 4)}, 6),
     "tensor \"b\": data_offsets: found [2, 6], an overlap, expected begin 4, where the tensor "
     "before it ends"},
    {"empty_tensor_inside_another",
     Tensors({Entry("a", "U8", "4", 0, 4), Entry("b", "U8", "0", 2, 2)}, 4),
     "tensor \"b\": data_offsets: found [2, 2], an overlap, expected begin 4, where the tensor "
     "before it ends"},
    {"empty_tensor_past_the_end",
     Tensors({Entry("a", "U8", "4", 0, 4), Entry("b", "U8", "0", 5, 5)}, 4),
     "tensor \"b\": data_offsets: found [5, 5], expected an end within the 4 data bytes of the "
     "file"},
};
INSTANTIATE_TEST_SUITE_P(Coverage, MalformedTensors, ::testing::ValuesIn(kCoverage),
                         MalformedName());

}  // namespace
}  // namespace ringlet
