// Broken safetensors files, each with its exact error: length, JSON and metadata here; tensors in
// safetensors_malformed_tensors_test.cc.
#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "io/test_files.h"

namespace ringlet {
namespace {

class MalformedSafetensors : public ::testing::TestWithParam<MalformedFile> {};

TEST_P(MalformedSafetensors, GivesItsError) {
  ExpectItsError<Safetensors>(GetParam(), ".safetensors");
}

std::string Header(std::string_view header) { return SafetensorsFile(header, ""); }
std::string Bare(uint64_t length, std::string_view rest) {
  return Stored(length) + std::string(rest);
}

const MalformedFile kLengths[] = {
    {"empty_file", "", "header length: found a file of 0 bytes, expected at least 8 bytes"},
    {"seven_bytes", Zeros(7), "header length: found a file of 7 bytes, expected at least 8 bytes"},
    {"length_zero", Bare(0, ""), "header: found nothing, expected \"{\" first"},
    {"length_zero_with_data", Bare(0, "{}"), "header: found nothing, expected \"{\" first"},
    {"length_one_short_file", Bare(3, "{}"),
     "header length: found 3, expected at most 2 (the bytes that follow)"},
    {"length_beyond_file", Bare(100, "{}"),
     "header length: found 100, expected at most 2 (the bytes that follow)"},
    {"length_2_32", Bare(uint64_t{1} << 32, "{}"),
     "header length: found 4294967296, expected at most 2 (the bytes that follow)"},
    {"length_2_63", Bare(uint64_t{1} << 63, "{}"),
     "header length: found 9223372036854775808, expected at most 2 (the bytes that follow)"},
    {"length_max", Bare(~uint64_t{0}, "{}"),
     "header length: found 18446744073709551615, expected at most 2 (the bytes that follow)"},
    {"length_minus_eight", Bare(~uint64_t{0} - 7, "{}"),
     "header length: found 18446744073709551608, expected at most 2 (the bytes that follow)"},
    {"length_big_endian", Bare(uint64_t{2} << 56, "{}"),
     "header length: found 144115188075855872, expected at most 2 (the bytes that follow)"},
    {"length_cuts_the_json", Bare(12, "{" + Entry("a", "U8", "1", 0, 1) + "}x"),
     "header: found \"e\" at its end, expected \"}\", then spaces only"},
    {"length_swallows_data", Bare(3, "{}\x01"),
     "header: found \"\\x01\" at its end, expected \"}\", then spaces only"},
};
INSTANTIATE_TEST_SUITE_P(Length, MalformedSafetensors, ::testing::ValuesIn(kLengths),
                         MalformedName());

const MalformedFile kFrames[] = {
    {"leading_space", Header(" {}"), "header: found \" {}\", expected \"{\" first"},
    {"leading_newline", Header("\n{}"), "header: found \"\\x0a{}\", expected \"{\" first"},
    {"leading_bom", Header("\xef\xbb\xbf{}"),
     "header: found \"\\xef\\xbb\\xbf{}\", expected \"{\" first"},
    {"leading_nul", Header(std::string("\0{}", 3)),
     "header: found \"\\x00{}\", expected \"{\" first"},
    {"utf16_header", Header(std::string("\xff\xfe{\0}\0", 6)),
     "header: found \"\\xff\\xfe{\\x00}\\x00\", expected \"{\" first"},
    {"array_header", Header("[]"), "header: found \"[]\", expected \"{\" first"},
    {"string_header", Header("\"{}\""), "header: found \"\\\"{}\\\"\", expected \"{\" first"},
    {"null_header", Header("null"), "header: found \"null\", expected \"{\" first"},
    {"zip_file", "PK\x03\x04" + Zeros(60),
     "header length: found 67324752, expected at most 56 (the bytes that follow)"},
    {"pickle_file", Bare(6, "\x80\x02}q\x01."),
     "header: found \"\\x80\\x02}q\\x01.\", expected \"{\" first"},
    {"spaces_only", Header("    "), "header: found \"    \", expected \"{\" first"},
    {"brace_only", Header("{"), "header: found \"{\" at its end, expected \"}\", then spaces only"},
    {"brace_and_spaces", Header("{   "),
     "header: found \"{\" at its end, expected \"}\", then spaces only"},
    {"trailing_newline", Header("{}\n"),
     "header: found \"\\x0a\" at its end, expected \"}\", then spaces only"},
    {"trailing_tab", Header("{}\t"),
     "header: found \"\\x09\" at its end, expected \"}\", then spaces only"},
    {"trailing_newline_then_spaces", Header("{}\n  "),
     "header: found \"\\x0a\" at its end, expected \"}\", then spaces only"},
    {"trailing_nul", Header(std::string("{}\0", 3)),
     "header: found \"\\x00\" at its end, expected \"}\", then spaces only"},
    {"trailing_letter", Header("{}x"),
     "header: found \"x\" at its end, expected \"}\", then spaces only"},
    {"nul_then_second_document", Header(std::string("{}\0{}", 5)),
     "header: found a NUL at byte 2, expected JSON"},
    {"nul_in_key", Header(std::string("{\"a\0b\":{}}", 10)),
     "header: found a NUL at byte 3, expected JSON"},
};
INSTANTIATE_TEST_SUITE_P(Frame, MalformedSafetensors, ::testing::ValuesIn(kFrames),
                         MalformedName());

// The library's words for a syntax error, at a byte of a header of one line.
std::string Syntax(size_t byte, std::string_view what) {
  return fmt::format(
      "header: found bad JSON at byte {0} (parse error at line 1, column {0}: {1}), expected JSON",
      byte, what);
}

const MalformedFile kJson[] = {
    {"unclosed_object", Header(R"({"__metadata__":{})"),
     Syntax(19, "syntax error while parsing object - unexpected end of input; expected '}'")},
    {"closed_twice", Header("{}}"),
     Syntax(3, "syntax error while parsing value - unexpected '}'; expected end of input")},
    {"two_documents", Header("{}{}"),
     Syntax(3, "syntax error while parsing value - unexpected '{'; expected end of input")},
    {"no_colon", Header(R"({"a" {}})"),
     Syntax(6, "syntax error while parsing object separator - unexpected '{'; expected ':'")},
    {"comma_at_end", Header(R"({"__metadata__":{"a":"b",}})"),
     Syntax(26, "syntax error while parsing object key - unexpected '}'; expected string literal")},
    {"comma_alone", Header("{,}"),
     Syntax(2, "syntax error while parsing object key - unexpected ','; expected string literal")},
    {"single_quotes", Header("{'a':{}}"),
     Syntax(2, "syntax error while parsing object key - invalid literal")},
    {"bare_key", Header("{a:{}}"),
     Syntax(2, "syntax error while parsing object key - invalid literal")},
    {"comment", Header("{/**/}"),
     Syntax(2, "syntax error while parsing object key - invalid literal")},
    {"unclosed_string", Header(R"({"a})"),
     Syntax(5, "syntax error while parsing object key - invalid string: missing closing quote")},
    {"bad_utf8_name", Header("{\"\xff\":{}}"),
     Syntax(3, "syntax error while parsing object key - invalid string: ill-formed UTF-8 byte")},
    {"overlong_utf8_name", Header("{\"\xc0\xaf\":{}}"),
     Syntax(3, "syntax error while parsing object key - invalid string: ill-formed UTF-8 byte")},
    {"cut_utf8_name", Header("{\"\xe2\x82\":{}}"),
     Syntax(5, "syntax error while parsing object key - invalid string: ill-formed UTF-8 byte")},
    {"utf8_surrogate_name", Header("{\"\xed\xa0\x80\":{}}"),
     Syntax(4, "syntax error while parsing object key - invalid string: ill-formed UTF-8 byte")},
    {"lone_high_surrogate", Header(R"({"\ud800":{}})"),
     Syntax(9,
            "syntax error while parsing object key - invalid string: surrogate U+D800..U+DBFF "
            "must be followed by U+DC00..U+DFFF")},
    {"lone_low_surrogate", Header(R"({"\udc00":{}})"),
     Syntax(8,
            "syntax error while parsing object key - invalid string: surrogate U+DC00..U+DFFF "
            "must follow U+D800..U+DBFF")},
    {"bad_escape", Header(R"({"\q":{}})"),
     Syntax(4,
            "syntax error while parsing object key - invalid string: forbidden character after "
            "backslash")},
    {"cut_unicode_escape", Header(R"({"\u00":{}})"),
     Syntax(7,
            "syntax error while parsing object key - invalid string: '\\u' must be followed by "
            "4 hex digits")},
    {"control_character", Header("{\"a\x01\":{}}"),
     Syntax(4,
            "syntax error while parsing object key - invalid string: control character U+0001 "
            "(SOH) must be escaped to \\u0001")},
    {"nan_literal", Header(R"({"a":NaN})"),
     Syntax(6, "syntax error while parsing value - invalid literal")},
    {"hex_number", Header(R"({"a":{"shape":[0x10]}})"),
     Syntax(17, "syntax error while parsing array - invalid literal")},
    {"leading_zero", Header(R"({"a":{"shape":[01]}})"),
     Syntax(17, "syntax error while parsing array - unexpected number literal; expected ']'")},
    {"plus_sign", Header(R"({"a":{"shape":[+1]}})"),
     Syntax(16, "syntax error while parsing value - invalid literal")},
};
INSTANTIATE_TEST_SUITE_P(Json, MalformedSafetensors, ::testing::ValuesIn(kJson), MalformedName());

const MalformedFile kMetadata[] = {
    {"metadata_array", Header(R"({"__metadata__":[]})"),
     "__metadata__: found an array, expected an object of strings"},
    {"metadata_string", Header(R"({"__metadata__":"x"})"),
     "__metadata__: found \"x\", expected an object of strings"},
    {"metadata_null", Header(R"({"__metadata__":null})"),
     "__metadata__: found null, expected an object of strings"},
    {"metadata_number", Header(R"({"__metadata__":7})"),
     "__metadata__: found 7, expected an object of strings"},
    {"metadata_value_number", Header(R"({"__metadata__":{"k":1}})"),
     "__metadata__: \"k\": found 1, expected a string"},
    {"metadata_value_negative", Header(R"({"__metadata__":{"k":-1}})"),
     "__metadata__: \"k\": found -1, expected a string"},
    {"metadata_value_float", Header(R"({"__metadata__":{"k":0.5}})"),
     "__metadata__: \"k\": found 0.5, expected a string"},
    {"metadata_value_null", Header(R"({"__metadata__":{"k":null}})"),
     "__metadata__: \"k\": found null, expected a string"},
    {"metadata_value_true", Header(R"({"__metadata__":{"k":true}})"),
     "__metadata__: \"k\": found true, expected a string"},
    {"metadata_value_object", Header(R"({"__metadata__":{"k":{}}})"),
     "__metadata__: \"k\": found an object, expected a string"},
    {"metadata_value_array", Header(R"({"__metadata__":{"k":["v"]}})"),
     "__metadata__: \"k\": found an array, expected a string"},
    {"metadata_key_twice", Header(R"({"__metadata__":{"k":"a","k":"b"}})"),
     "__metadata__: \"k\": found this key twice, expected each key once"},
    {"metadata_key_twice_escaped", Header(R"({"__metadata__":{"k":"a","\u006b":"b"}})"),
     "__metadata__: \"k\": found this key twice, expected each key once"},
    {"metadata_twice", Header(R"({"__metadata__":{},"__metadata__":{}})"),
     "__metadata__: found this name twice, expected each name once"},
    {"metadata_twice_escaped", Header(R"({"__metadata__":{},"__m\u0065tadata__":{}})"),
     "__metadata__: found this name twice, expected each name once"},
    {"metadata_holds_a_tensor", Header("{\"__metadata__\":{" + Entry("a", "U8", "0", 0, 0) + "}}"),
     "__metadata__: \"a\": found an object, expected a string"},
};
INSTANTIATE_TEST_SUITE_P(Metadata, MalformedSafetensors, ::testing::ValuesIn(kMetadata),
                         MalformedName());

}  // namespace
}  // namespace ringlet
