#include "base/json.h"

#include <gtest/gtest.h>

namespace ringlet {
namespace {

std::string Error(std::string_view text) {
  const auto parsed = ParseJson(text, "a.json");
  EXPECT_FALSE(parsed.ok());
  return parsed.ok() ? "" : parsed.status().message();
}

TEST(ParseJson, AcceptsDocuments) {
  EXPECT_EQ((*ParseJson(R"( {"a": [1, 2.5, "x", null, true]} )", "a.json"))["a"][1], 2.5);
  EXPECT_EQ(*ParseJson("7", "a.json"), 7);
  EXPECT_EQ((*ParseJson("\"\\ud83d\\ude00\"", "a.json")).get<std::string>(), "\xf0\x9f\x98\x80");
  EXPECT_EQ(*ParseJson("{\"a\":{\"k\":1},\"b\":{\"k\":2}}", "a.json"),
            (Json{{"a", {{"k", 1}}}, {"b", {{"k", 2}}}}));
}

TEST(ParseJson, KeepsTheOrderOfKeysWhenAsked) {
  const auto parsed = ParseOrderedJson(R"({"z":1,"a":2})", "a.json");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->dump(), R"({"z":1,"a":2})");
  EXPECT_FALSE(ParseOrderedJson(R"({"z":1,"z":2})", "a.json").ok());
  const std::string_view all =
      R"({"z":[1,-2,18446744073709551615,0.5,null,[],{}],"a":{"c":{"d":"\u00e9"},"b":true},"y":[[{"x":""}]]})";
  EXPECT_EQ(ParseOrderedJson(all, "a.json")->dump(-1, ' ', true), all);
  EXPECT_EQ(ParseOrderedJson("7", "a.json")->dump(), "7");
}

// A search for every key among those before it would take longer than the test may.
TEST(ParseJson, ManyOrderedKeysTakeNoLongerThanMany) {
  constexpr int kKeys = 400'000;
  std::string text = "{";
  for (int i = 0; i < kKeys; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":1";
  const auto parsed = ParseOrderedJson(text + "}", "a.json");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->size(), size_t{kKeys});
  EXPECT_EQ(parsed->items().begin().key(), "0");
}

TEST(ParseJson, RefusesRepeatedKeysAlsoWhenEscaped) {
  EXPECT_EQ(Error(R"({"a":1,"a":1})"), "a.json: found key \"a\" twice, expected each key once");
  EXPECT_EQ(Error(R"({"a":1,"\u0061":1})"),
            "a.json: found key \"a\" twice, expected each key once");
  EXPECT_EQ(Error(R"([{"b":{"k\n":1,"k\u000a":2}}])"),
            "a.json: found key \"k\\x0a\" twice, expected each key once");
}

TEST(ParseJson, LimitsNesting) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(ParseJson(nested(64), "a.json").ok());
  const std::string error = "a.json: found nesting deeper than 64, expected a flatter document";
  EXPECT_EQ(Error(nested(65)), error);
  EXPECT_EQ(Error(nested(1'000'000)), error);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(Error(objects), error);
}

TEST(ParseJson, RefusesWhatFollowsTheDocument) {
  EXPECT_EQ(Error(std::string("{}\0{\"a\":1}", 10)),
            "a.json: found a NUL byte at byte 2, expected a JSON document");
  EXPECT_EQ(Error(std::string("{}\0", 3)),
            "a.json: found a NUL byte at byte 2, expected a JSON document");
  EXPECT_NE(Error("{} {}").find("unexpected '{'; expected end of input"), std::string::npos);
}

TEST(ParseJson, RefusesBadTextAndNumbers) {
  for (const std::string_view text :
       {"",      " ",        "{",           "[1,]",     "{\"a\":1,}",   "'a'",      "nul",
        "NaN",   "Infinity", "01",          "+1",       ".5",           "1.",       "0x1",
        "1e999", "\"\\x\"",  "\"\\ud800\"", "\"\xff\"", "\"\xc0\xaf\"", "\"\x01\"", "//x\n1"}) {
    EXPECT_FALSE(ParseJson(text, "a.json").ok()) << text;
  }
}

TEST(ParseJson, SyntaxErrorsDoNotRepeatTheDocument) {
  const std::string error = Error("\"" + std::string(1 << 20, 'x'));
  EXPECT_LT(error.size(), 200u);
  EXPECT_EQ(error.rfind("a.json: found bad JSON at byte 104857", 0), 0u) << error;
}

TEST(JsonBrief, IsShortAndAscii) {
  EXPECT_EQ(JsonBrief(Json("\u00e9\n")), R"("\u00e9\n")");
  EXPECT_EQ(JsonBrief(Json(std::string(100, 'x'))).size(), 60u);
  EXPECT_EQ(JsonTypeName(Json::array()), "an array");
  EXPECT_EQ(JsonTypeName(Json(-1)), "an integer");
  EXPECT_EQ(JsonTypeName(Json(0.5)), "a number");
}

}  // namespace
}  // namespace ringlet
