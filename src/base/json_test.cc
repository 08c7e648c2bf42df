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

TEST(JsonTest, KeysOfAnObjectCanBeLimited) {
  EXPECT_TRUE(ParseOrderedJson(R"({"a": {"b": 1, "c": 2}, "d": 3})", "x", 2).ok());
  EXPECT_EQ(ParseOrderedJson(R"({"a": {"b": 1, "c": 2, "d": 3}})", "x", 2).status().message(),
            "x: found an object of more than 2 keys, expected fewer");
}

}  // namespace
}  // namespace ringlet
