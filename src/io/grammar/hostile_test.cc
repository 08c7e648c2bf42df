// Grammars that are meant to take forever or all memory.
#include <chrono>

#include "io/grammar/grammar_test_util.h"

namespace ringlet {
namespace {

constexpr double kSeconds = 30;  // for sanitizers; release builds need a tenth

// Compiles, fills masks and feeds `text` byte by byte: whatever the outcome, it comes soon.
void Survive(const Result<std::shared_ptr<const Grammar>>& grammar, std::string_view text) {
  const auto begin = std::chrono::steady_clock::now();
  if (grammar.ok()) {
    GrammarMatcher matcher(*grammar, ByteVocabulary(JsonTokens()));
    std::vector<uint64_t> bits;
    for (const char c : text) {
      matcher.FillAllowed(bits);
      if (!matcher.AcceptBytes(std::string_view(&c, 1))) break;
    }
    matcher.FillAllowed(bits);
    if (!matcher.status().ok()) {
      EXPECT_EQ(matcher.status().code(), StatusCode::kResource);
      EXPECT_TRUE(AllowedIds(bits).empty());
      EXPECT_FALSE(matcher.CanEnd());
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took.count(), kSeconds);
}

Result<std::shared_ptr<const Grammar>> FromText(const std::string& text) {
  return Grammar::FromGbnf(text, "hostile");
}

TEST(HostileGrammar, EmptyLoops) {
  for (const char* body : {"(\"a\"*)*", "(\"a\"?)+", "((\"a\"*)*)*", "(\"\")*", "(\"a\"*){0,1000}",
                           "((\"a\"*){20}){20}", "(\"\"{1000})*", "( | | )* \"a\""}) {
    const auto grammar = FromText("root ::= " + std::string(body));
    ASSERT_TRUE(grammar.ok()) << grammar.status().message();
    Survive(grammar, std::string(100, 'a'));
    EXPECT_TRUE(Matches(*grammar, "a") || std::string_view(body).starts_with("(\"\"")) << body;
  }
}

// 2^n parses, whose stacks share their ends.
TEST(HostileGrammar, ExponentialAmbiguity) {
  const auto grammar =
      FromText("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\" root \"b\" \"c\" | \"a\"");
  ASSERT_TRUE(grammar.ok());
  Survive(grammar, std::string(200, 'a'));
  EXPECT_TRUE(Matches(*grammar, std::string(100, 'a') + std::string(99, 'c')));
  EXPECT_FALSE(Matches(*grammar, std::string(100, 'a') + std::string(101, 'c')));
  Survive(FromText("root ::= s\ns ::= \"a\" | \"a\" s s | \"a\" s s s | \"a\" s"),
          std::string(250, 'a'));
  Survive(FromText("root ::= ([ab]* \"a\" [ab]{2000})* \"c\""), std::string(300, 'a'));
}

TEST(HostileGrammar, DoublingRules) {
  std::string text = "root ::= r0\n";
  for (int i = 0; i < 60; ++i) text += fmt::format("r{} ::= r{} r{}\n", i, i + 1, i + 1);
  Survive(FromText(text + "r60 ::= \"a\"\n"), std::string(500, 'a'));
  Survive(FromText(text + "r60 ::= \"a\"?\n"), std::string(500, 'a'));
}

TEST(HostileGrammar, LongChainsOfRules) {
  std::string forward = "root ::= r0\n", backward = "root ::= r0\n";
  for (int i = 0; i < 9'000; ++i) {
    forward += fmt::format("r{} ::= r{} | \"a\"\n", i, i + 1);
    backward = fmt::format("r{} ::= r{}? \"b\"?\n", i, i + 1) + backward;
  }
  Survive(FromText(forward + "r9000 ::= \"a\"\n"), "aaa");
  Survive(FromText(backward + "r9000 ::= \"a\"?\n"), "aaa");
}

TEST(HostileGrammar, ManyAlternatives) {
  std::string text = "root ::= (\"a\"", classes = "root ::= [";
  for (int i = 0; i < 8'000; ++i) text += fmt::format(" | \"a{:x}\"", i * 7919 % 65536);
  for (int i = 0; i < 20'000; ++i) {
    classes += fmt::format("\\u{:04x}", 0x1000 + 2 * i);
  }
  Survive(FromText(text + ")*"), std::string(50, 'a'));
  Survive(FromText(classes + "]*"), "\xe1\x80\x80\xe1\x80\x82");
}

TEST(HostileGrammar, HugeRepetitions) {
  Survive(FromText("root ::= ((\"a\"*){100}){100}"), std::string(100, 'a'));
  Survive(FromText("root ::= .{100000}"), std::string(300, 'a'));
  Survive(FromText("root ::= ((.{1000}){1000}){1000}"), std::string(300, 'a'));
  Survive(FromText("root ::= ((\"a\"?){1000}){1000}"), std::string(300, 'a'));
  Survive(FromText("root ::= (\"a\" | \"aa\"){1000,100000} \"b\""), std::string(300, 'a'));
}

TEST(HostileSchema, DoublingAllOf) {
  std::string defs;
  for (int i = 0; i < 50; ++i) {
    defs += fmt::format(
        R"("d{0}":{{"allOf":[{{"$ref":"#/$defs/d{1}"}},{{"$ref":"#/$defs/d{1}"}}]}},)", i, i + 1);
  }
  const auto grammar =
      CompileSchema(R"({"$ref":"#/$defs/d0","$defs":{)" + defs + R"("d50":{"type":"integer"}}})");
  EXPECT_EQ(grammar.status().code(), StatusCode::kResource);  // 50 levels of $ref in allOf
}

TEST(HostileSchema, ManyBranchesAndValues) {
  std::string branches, values, properties;
  for (int i = 0; i < 200; ++i) branches += fmt::format(R"({}{{"const":{}}})", i ? "," : "", i);
  for (int i = 0; i < 9'000; ++i) values += fmt::format(R"({}"v{}")", i ? "," : "", i);
  for (int i = 0; i < 5'000; ++i) properties += fmt::format(R"({}"p{}":{{}})", i ? "," : "", i);
  Survive(CompileSchema(R"({"oneOf":[)" + branches + "]}"), "12");
  Survive(CompileSchema(R"({"allOf":[{"enum":[)" + values + R"(]},{"enum":[)" + values + "]}]}"),
          "\"v12\"");
  Survive(CompileSchema(R"({"type":"object","properties":{)" + properties + "}}"), "{\"p77\":1,");
  const std::string many = R"({"anyOf":[)" + branches + "]}";
  EXPECT_EQ(CompileSchema(R"({"allOf":[)" + many + "," + many + "]}").status().code(),
            StatusCode::kResource);
}

TEST(HostileSchema, RecursionThroughEverything) {
  for (const char* text :
       {R"({"$ref":"#"})", R"({"allOf":[{"$ref":"#"}]})",
        R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})",
        R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})"}) {
    const auto grammar = CompileSchema(text);
    ASSERT_FALSE(grammar.ok()) << text;
    EXPECT_NE(grammar.status().code(), StatusCode::kOk);
  }
  Survive(CompileSchema(R"({"anyOf":[{"type":"array","items":{"$ref":"#"}},
    {"type":"array","items":{"$ref":"#"},"maxItems":3},{"type":"array","prefixItems":[{"$ref":"#"}]}]})"),
          std::string(300, '['));
}

}  // namespace
}  // namespace ringlet
