#include "server/chat/json_scanner.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "base/rng.h"

namespace ringlet::server {
namespace {

bool Accepts(std::string_view text) {
  JsonScanner scanner;
  for (const char c : text) {
    if (scanner.Push(c) == JsonScanner::Event::kError) return false;
  }
  return scanner.done();
}

TEST(JsonScannerTest, AcceptsDocuments) {
  for (const std::string_view text :
       {"{}", "[]", " {\"a\" : [ 1 , -0.5e+3 , true,false , null, \"x\\u00e9\\\"\" ] } ", "\"\"",
        "[0, 10, 0.0, 1E5, -1, 1e-7]", "{\"\":{}}"}) {
    EXPECT_TRUE(Accepts(text)) << text;
  }
}

TEST(JsonScannerTest, RefusesOthers) {
  for (const std::string_view text :
       {"",      "{",          "{]",     "[}",    "{\"a\"}",   "{\"a\":}",      "{a:1}",
        "[1,]",  "{\"a\":1,}", "[01]",   "[1.]",  "[.5]",      "[-]",           "[1e]",
        "[1e+]", "[+1]",       "[truE]", "[nul]", "[\"\\x\"]", "[\"\\u12g4\"]", "\"",
        "{} {}", "[]1",        "['a']",  "[1 2]", "{\"a\" 1}", "[tru e]"}) {
    EXPECT_FALSE(Accepts(text)) << text;
  }
  EXPECT_TRUE(Accepts(std::string(64, '[') + std::string(64, ']')));
  EXPECT_FALSE(Accepts(std::string(65, '[') + std::string(65, ']')));
}

// Against the strict parser, on documents damaged at random.
TEST(JsonScannerTest, AgreesWithTheParser) {
  const std::string whole =
      R"({"a": [1, -2.5e3, true, null, {"b": "x\n\u0041"}], "c": {}, "d": [], "e": "f", "g": 0})";
  const std::string_view bytes = "{}[]\",:\\0123.eE+-tfn u ab";
  Rng rng(5);
  int accepted = 0;
  for (int trial = 0; trial < 50000; ++trial) {
    std::string text = whole;
    for (uint64_t i = rng.Below(3); i > 0; --i) {
      const size_t at = rng.Below(text.size());
      if (rng.Below(2) == 0) {
        text.erase(at, 1 + rng.Below(4));
      } else {
        text.insert(at, 1, bytes[rng.Below(bytes.size())]);
      }
    }
    const Result<OrderedJson> parsed = ParseOrderedJson(text, "");
    // What the scanner leaves to the parser: equal keys, halves of characters, numbers too large.
    if (!parsed.ok() && Accepts(text)) {
      const std::string& why = parsed.status().message();
      EXPECT_TRUE(why.find("twice") != std::string::npos ||
                  why.find("surrogate") != std::string::npos ||
                  why.find("overflow") != std::string::npos ||
                  why.find("out of range") != std::string::npos)
          << text << " " << why;
      continue;
    }
    ASSERT_EQ(Accepts(text), parsed.ok()) << text;
    accepted += parsed.ok() ? 1 : 0;
  }
  EXPECT_GT(accepted, 10000);
}

TEST(JsonScannerTest, ControlCharactersAreEscaped) {
  for (int c = 0; c < 256; ++c) {
    const std::string_view escape = EscapeControl(static_cast<char>(c));
    ASSERT_EQ(escape.empty(), c >= 32);
    if (escape.empty()) continue;
    const auto parsed = ParseOrderedJson("\"" + std::string(escape) + "\"", "");
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->get<std::string>(), std::string(1, static_cast<char>(c)));
  }
}

}  // namespace
}  // namespace ringlet::server
