#include "io/grammar/grammar_test_util.h"

namespace ringlet {
namespace {

std::string Error(std::string_view schema) {
  const auto grammar = CompileSchema(schema);
  return grammar.ok() ? "" : grammar.status().message();
}

void Expect(std::string_view schema, const std::vector<std::string>& accepted,
            const std::vector<std::string>& refused) {
  const auto grammar = Schema(schema);
  ASSERT_TRUE(grammar) << schema;
  for (const std::string& text : accepted) EXPECT_TRUE(Matches(grammar, text)) << schema << text;
  for (const std::string& text : refused) EXPECT_FALSE(Matches(grammar, text)) << schema << text;
}

TEST(AnyJsonObject, IsJson) {
  const auto grammar = Grammar::AnyJsonObject();
  for (const char* text :
       {"{}", R"({"a":1})", R"({"a": -0.5e+10, "b": [true, null, "x"], "":{}})",
        "{\n  \"a\": [\n    1,\n    2\n  ]\n}", R"({"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t": "é😀"})",
        "{\"a\": \"\x7f\"}"}) {
    EXPECT_TRUE(Matches(grammar, text)) << text;
    EXPECT_TRUE(ParseJson(text, "t").ok()) << text;
  }
  for (const char* text : {"",
                           "[]",
                           "1",
                           "{",
                           R"({"a":01})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":+1})",
                           R"({"a":1,})",
                           R"({a:1})",
                           R"({"a" :1})",
                           R"({"a":1} )",
                           "{\"a\":\"\n\"}",
                           "{\"a\":\"\x01\"}",
                           R"({"a":"\x"})",
                           R"({"a":"\ud83d"})",
                           R"({"a":"\ude00"})",
                           R"({"a":"\ud83d\u0041"})",
                           R"({"a":"\ud83dx"})",
                           R"({"a":nan})",
                           "{\"a\":\"\xff\"}",
                           "{\"a\":\"\xed\xa0\x80\"}",
                           "{   }",
                           "{\"a\":  1}",
                           R"({"a":1  ,"b":2})"}) {
    EXPECT_FALSE(Matches(grammar, text)) << text;
  }
}

TEST(JsonSchema, WhitespaceIsBounded) {
  Expect(R"({"type":"array"})", {"[ 1, 2 ]", "[\n" + std::string(64, ' ') + "1\n\t]"},
         {"[  1]", "[\n" + std::string(65, ' ') + "1]", "[\n\n1]", "[1 , 2]", " []", "[] "});
}

TEST(JsonSchema, ObjectsInTheOrderOfDeclaration) {
  Expect(R"({"type":"object","properties":{"a":{"type":"integer"},"b":{},"c":{"type":"null"}},
             "required":["c","a"],"additionalProperties":false})",
         {R"({"a":1,"b":[],"c":null})", R"({"a": 1, "c": null})"},
         {"{}", R"({"a":1})", R"({"c":null,"a":1})", R"({"a":1,"c":null,"d":1})",
          R"({"a":1,"b":1,"b":1,"c":null})", R"({"a":1,,"c":null})", R"({,"a":1,"c":null})"});
  Expect(R"({"type":"object","properties":{"a":{},"b":{}},"additionalProperties":false})",
         {"{}", R"({"a":1})", R"({"b":1})", R"({"a":1,"b":1})", "{\n}"},
         {R"({"b":1,"a":1})", R"({"a":1,})", R"({,"b":1})"});
  Expect(R"({"type":"object","properties":{"a":{},"b":{}},"required":["b"],"minProperties":1,
             "maxProperties":2,"additionalProperties":false})",
         {R"({"a":1,"b":1})", R"({"b":1})"}, {"{}"});
}

TEST(JsonSchema, AdditionalKeysAreNotDeclaredOnes) {
  Expect(R"({"type":"object","properties":{"ab":{"type":"null"},"a\"":{"type":"null"},"é":false},
             "additionalProperties":{"type":"integer"}})",
         {R"({"a":1})", R"({"abc":1})", R"({"":1})", R"({"ab":null,"a":1,"b":2})", R"({"a\\":1})",
          R"({"a\"":null,"ab\"":1})", R"({"É":1})"},
         {R"({"ab":1})", R"({"\u0061b":1})", R"({"a\u0062":1})", R"({"a\"":1})", R"({"é":1})",
          R"({"\u00e9":1})", R"({"a":null})", R"({"a":1,"ab":null})"});
  Expect(R"({"type":"object","required":["x"],"properties":{"a":{}}})",
         {R"({"x":1})", R"({"a":1,"x":1,"y":2})"}, {"{}", R"({"a":1})", R"({"y":1})"});
}

TEST(JsonSchema, Arrays) {
  Expect(R"({"type":"array","prefixItems":[{"const":1},{"const":2}],"items":{"const":3},
             "minItems":1,"maxItems":4})",
         {"[1]", "[1,2]", "[1,2,3]", "[1, 2, 3, 3]"}, {"[]", "[2]", "[1,3]", "[1,2,3,3,3]"});
  Expect(R"({"type":"array","prefixItems":[{"const":1}],"items":false})", {"[]", "[1]"}, {"[1,1]"});
  Expect(R"({"type":"array","maxItems":0})", {"[]"}, {"[1]"});
  Expect(R"({"type":"array","items":{"const":1},"minItems":3})", {"[1,1,1]", "[1,1,1,1]"},
         {"[1,1]"});
}

TEST(JsonSchema, StringsCountCharacters) {
  Expect(R"({"type":"string","minLength":2,"maxLength":3})",
         {R"("ab")", R"("éé")", R"("😀😀😀")", R"("\n\"")", R"("\ud83d\ude00\u00e9x")"},
         {R"("a")", R"("abcd")", R"("\ud83d\ude00")"});
}

TEST(JsonSchema, Patterns) {
  Expect(R"({"type":"string","pattern":"^[a-c]+\\d{2,3}(x|yz)?$"})", {R"("a12")", R"("abc123yz")"},
         {R"("12")", R"("a1")", R"("a12xx")", R"("a12\n")"});
  Expect(R"({"type":"string","pattern":"b|^c|d$"})", {R"("abc")", R"("ca")", R"("ad")"},
         {R"("a")", R"("ac")", R"("da")"});
  Expect(R"({"type":"string","pattern":"^[^\"]\"\\\\\\n.$"})", {R"("x\"\\\né")"},
         {R"("\"\"\\\né")", R"("x\"\\\n\n")", "\"x\\\"\\\\\n\xc3\xa9\""});
  Expect(R"({"type":"string","pattern":"^(?:a*?b)+$"})", {R"("aabb")"}, {R"("")", R"("aba")"});
  for (const char* pattern : {"a(?=b)", "(?<!a)b", "\\\\bx", "(a)\\\\1", "\\\\p{L}", "(^a|b)",
                              "(a$)b", "a$b", "a^b", "\\\\cA"}) {
    const auto grammar =
        CompileSchema(fmt::format(R"({{"type":"string","pattern":"{}"}})", pattern));
    EXPECT_EQ(grammar.status().code(), StatusCode::kUnsupported) << pattern;
    EXPECT_TRUE(grammar.status().message().starts_with("test: #/pattern: found ")) << pattern;
  }
  for (const char* pattern :
       {"(", "a)", "[a", "*", "a{2", "a{3,2}", "[b-a]", "\\\\x4", "]", "a{,2}"}) {
    const auto grammar =
        CompileSchema(fmt::format(R"({{"type":"string","pattern":"{}"}})", pattern));
    EXPECT_EQ(grammar.status().code(), StatusCode::kInvalidInput) << pattern;
  }
}

TEST(JsonSchema, Formats) {
  const auto format = [](std::string_view name) {
    return fmt::format(R"({{"type":"string","format":"{}"}})", name);
  };
  Expect(format("date"), {R"("2024-02-29")", R"("2000-02-29")", R"("2023-12-31")"},
         {R"("2023-02-29")", R"("1900-02-29")", R"("2023-04-31")", R"("2023-13-01")"});
  Expect(format("date-time"), {R"("2024-02-29T23:59:59.5Z")", R"("2024-01-01T00:00:00+05:30")"},
         {R"("2024-02-29 23:59:59Z")", R"("2024-02-29T24:00:00Z")", R"("2024-02-29T23:59:59")"});
  Expect(format("uuid"), {R"("123e4567-e89b-12d3-a456-42661417400F")"}, {R"("123e4567")"});
  Expect(format("ipv4"), {R"("255.0.10.99")"}, {R"("256.0.0.1")", R"("01.2.3.4")", R"("1.2.3")"});
  Expect(format("ipv6"),
         {R"("::")", R"("::1")", R"("1::")", R"("1:2:3:4:5:6:7:8")", R"("1::8")", R"("::1.2.3.4")",
          R"("1:2:3:4:5:6:7::")", R"("1:2:3:4:5:6:1.2.3.4")", R"("::2:3:4:5:6:7:8")"},
         {R"("1")", R"("1:2:3:4:5:6:7")", R"("1:2:3:4:5:6:7:8:9")", R"("1::2::3")",
          R"("1:2:3:4:5:6:7:8::")", R"("12345::")", R"("1:2:3:4:5:6:7::8")", R"(":::")"});
  Expect(format("email"), {R"("ada.l+x@example.org")"}, {R"("ada")", R"("@x")", R"("a..b@x")"});
  Expect(format("json-pointer"), {R"("")", R"("/a~0b/~1/é")"}, {R"("a")", R"("/~2")"});
  EXPECT_EQ(Error(format("regex")),
            "test: #/format: found the format \"regex\", which is not enforced");
}

// Every integer of a window, for many bounds.
TEST(JsonSchema, IntegerRangesAreExact) {
  const std::vector<int> bounds = {-1001, -1000, -120, -99, -11, -10, -9,  -1,  0,
                                   1,     5,     9,    10,  11,  99,  100, 987, 1000};
  for (const int low : bounds) {
    for (const int high : bounds) {
      const auto grammar = CompileSchema(
          fmt::format(R"({{"type":"integer","minimum":{},"exclusiveMaximum":{}}})", low, high));
      ASSERT_EQ(grammar.ok(), low < high) << low << " " << high;
      for (int x = -1100; grammar.ok() && x <= 1100; x += (x > -130 && x < 130) ? 1 : 7) {
        ASSERT_EQ(Matches(*grammar, std::to_string(x)), low <= x && x < high) << x << low << high;
      }
    }
  }
  Expect(R"({"type":"integer","minimum":100})", {"100", "999", "1000", "98765432109876543210"},
         {"99", "0", "-100", "0100", "100.0"});
  const std::string hundred(100, '7');
  for (const char* schema : {R"({"type":"integer"})", R"({"type":"number"})", R"({"minimum":5})"}) {
    Expect(schema, {hundred}, {hundred + "7"});
  }
  Expect(R"({"type":"number"})", {"-1e99", "1.5E-07", "0e0"}, {"1e100", "1e", "-"});
  Expect(R"({"type":"integer","maximum":-5})", {"-5", "-10", "-99999"}, {"-4", "-0", "5", "-05"});
  Expect(R"({"type":"integer","minimum":0.5,"maximum":2.5})", {"1", "2"}, {"0", "3"});
  Expect(R"({"type":"integer","maximum":18446744073709551615,"minimum":-9223372036854775808})",
         {"18446744073709551615", "-9223372036854775808"},
         {"18446744073709551616", "-9223372036854775809"});
}

TEST(JsonSchema, NumberRangesAreExact) {
  const std::vector<std::string> bounds = {"-12.5", "-1", "-0.25", "0", "0.001",
                                           "0.25",  "1",  "9.75",  "10"};
  const std::vector<std::string> numbers = {
      "-100",   "-12.5",  "-12.50", "-12.51", "-12.49", "-1",     "-1.0",  "-0.9", "-0.25",
      "-0.250", "-0.2",   "-0.0",   "0",      "0.0",    "0.0009", "0.001", "0.01", "0.249",
      "0.25",   "0.2501", "0.9",    "1",      "1.0",    "1.01",   "9.7",   "9.75", "9.751",
      "9.999",  "10",     "10.0",   "10.01",  "11",     "100"};
  for (const std::string& low : bounds) {
    for (const std::string& high : bounds) {
      const auto grammar = CompileSchema(
          fmt::format(R"({{"type":"number","exclusiveMinimum":{},"maximum":{}}})", low, high));
      ASSERT_EQ(grammar.ok(), std::stod(low) < std::stod(high));
      if (!grammar.ok()) continue;
      for (const std::string& x : numbers) {
        if (x == "-0.0") continue;
        const double value = std::stod(x);
        ASSERT_EQ(Matches(*grammar, x), value > std::stod(low) && value <= std::stod(high))
            << x << " in " << low << " " << high;
      }
    }
  }
  Expect(R"({"type":"number","minimum":1e-7,"maximum":1e15})",
         {"0.0000001", "1000000000000000", "1"}, {"0.00000009", "0", "1000000000000000.1", "1e3"});
  Expect(R"({"type":"number","exclusiveMaximum":1})",
         {"0.99999999999999", "-0.5", "0.12345678901234"},
         {"0.999999999999999", "1", "0.123456789012345"});
  Expect(R"({"type":"number","exclusiveMinimum":0})",
         {"0.00000000000001", "12345678901234.5", "123456789012345678"},
         {"0.00000000000000", "0", "123456789012345.5"});
  EXPECT_NE(Error(R"({"minimum":1e300})").find("#/minimum: found a number that cannot"),
            std::string::npos);
}

TEST(JsonSchema, Combinations) {
  Expect(R"({"anyOf":[{"type":"integer"},{"const":"x"}],"maximum":5})", {"5", "\"x\""},
         {"6", "\"y\""});
  Expect(R"({"allOf":[{"type":["integer","string"]},{"type":["number","null"]}]})", {"1"},
         {"1.5", "\"\"", "null"});
  Expect(R"({"type":"object","allOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},
             {"properties":{"b":{"type":"null"},"a":{"minimum":3}},"additionalProperties":{"maximum":9}}]})",
         {R"({"a":3})", R"({"a":30,"b":null,"c":9})"}, {R"({"a":2})", R"({"a":3,"c":10})"});
  Expect(R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"null"}},
               "required":["kind"],"additionalProperties":false},
             {"type":"object","properties":{"kind":{"enum":["b","c"]}},"required":["kind"]},
             {"type":"integer","minimum":3},{"type":"integer","maximum":2}]})",
         {R"({"kind":"a","x":null})", R"({"kind":"c","x":1})", "2", "3"},
         {R"({"kind":"d"})", "2.5"});
  Expect(R"({"type":"string","nullable":true,"enum":["a",null,1]})", {"\"a\"", "null"}, {"1"});
  Expect(R"({"enum":[{"b":[1,{}]},"é\n"],"type":["object","string"]})",
         {R"({"b": [1, {}]})", R"("é\n")"}, {R"({"b":[1]})"});
  Expect(
      R"({"$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"next":{"$ref":"#/$defs/n"}},
             "required":["v"],"additionalProperties":false}},"$ref":"#/$defs/n"})",
      {R"({"v":1})", R"({"v":1,"next":{"v":2,"next":{"v":3}}})"}, {R"({"v":1,"next":{}})"});
  Expect(R"({"$ref":"#/$defs/a~1b%25","$defs":{"a/b%":{"type":"null"}}})", {"null"}, {"1"});
  Expect("true", {"1", "{}"}, {"x"});
}

TEST(JsonSchema, RefusalsNameThePlaceAndTheKeyword) {
  EXPECT_EQ(Error(R"({"properties":{"a/b":{"items":{"patternProperties":{}}}}})"),
            "test: #/properties/a~1b/items/patternProperties: found the keyword "
            "\"patternProperties\", which is not enforced");
  for (const char* keyword : {"not", "if", "contains", "propertyNames", "unevaluatedProperties",
                              "dependentRequired", "multipleOf", "$dynamicRef", "madeUp"}) {
    const auto grammar = CompileSchema(fmt::format(R"({{"{}":{{}}}})", keyword));
    EXPECT_EQ(grammar.status().code(), StatusCode::kUnsupported) << keyword;
  }
  EXPECT_EQ(Error(R"({"type":"strin"})"),
            "test: #/type: found \"strin\", expected names of JSON types");
  EXPECT_EQ(Error(R"({"minLength":-1})"),
            "test: #/minLength: found -1, expected an integer from 0 on");
  EXPECT_EQ(Error(R"({"maxLength":1000000})"),
            "test: #/maxLength: found 1000000, expected at most 100000");
  EXPECT_EQ(Error(R"({"$ref":"other.json"})"),
            "test: #/$ref: found \"other.json\", expected a reference inside this schema: \"#\" or "
            "\"#/...\"");
  EXPECT_EQ(Error(R"({"$ref":"#/$defs/x"})"),
            "test: #/$ref: found \"#/$defs/x\", expected the place of a schema");
  EXPECT_EQ(Error(R"({"items":[{}]})"),
            "test: #/items: found [{}], expected a schema (see prefixItems)");
  EXPECT_EQ(Error("3"), "test: #: found 3, expected an object or a boolean");
  EXPECT_EQ(
      Error("false"),
      "test: found a grammar that no finite text matches, expected one that some text matches");
  EXPECT_EQ(Error(R"({"oneOf":[{"type":"integer"},{"minimum":2}]})"),
            "test: #/oneOf: found the branches 0 and 1, which may hold at once, expected branches "
            "that exclude each other by type, by range or by a required property's values");
  EXPECT_EQ(Error(R"({"type":"string","pattern":"^a","maxLength":3})"),
            "test: #/pattern: found it with another pattern, format or length for the same string, "
            "expected one of them");
  EXPECT_EQ(Error(R"({"type":"object","minProperties":1})"),
            "test: #/minProperties: found a limit that required and additionalProperties do not "
            "imply, which is not enforced");
  EXPECT_EQ(Error(R"({"enum":["a"],"pattern":"b"})"),
            "test: #: found an enum or const whose values are constrained by further keywords, "
            "expected values alone");
  EXPECT_EQ(Error(R"({"$ref":"#"})"),
            "test: #: found a schema that demands itself of the same value, expected recursion "
            "through properties or items only");
  EXPECT_EQ(Error(R"({"uniqueItems":true})"),
            "test: #/uniqueItems: found true, which is not enforced, expected false");
  EXPECT_EQ(Error(R"({"properties":{"a":{"$id":"x"}}})"),
            "test: #/properties/a/$id: found the keyword \"$id\", which is not enforced");
}

TEST(JsonSchema, DeepAndLargeSchemasAreRefused) {
  OrderedJson deep = true;
  for (int i = 0; i < 40; ++i) deep = OrderedJson{{"items", OrderedJson{{"items", deep}}}};
  EXPECT_EQ(Grammar::FromJsonSchema(deep, "t").status().code(), StatusCode::kResource);
  OrderedJson wide = {{"enum", std::vector<int>(20'001, 1)}};
  EXPECT_EQ(Grammar::FromJsonSchema(wide, "t").status().code(), StatusCode::kResource);
  EXPECT_EQ(Grammar::FromJsonSchema(OrderedJson{{"const", std::string(300'000, 'a')}}, "t")
                .status()
                .code(),
            StatusCode::kResource);
  EXPECT_EQ(Grammar::FromJsonSchema(OrderedJson{{"const", "\xff"}}, "t").status().code(),
            StatusCode::kInvalidInput);
}

}  // namespace
}  // namespace ringlet
