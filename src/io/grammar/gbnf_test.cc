#include "io/grammar/gbnf.h"

#include "io/grammar/grammar_test_util.h"
#include "io/grammar/limits.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

std::string Error(std::string_view text) {
  const auto grammar = Grammar::FromGbnf(text, "g");
  return grammar.ok() ? "" : grammar.status().message();
}

TEST(Gbnf, MatchesTexts) {
  const auto root = Gbnf(R"(# a comment
root ::= greeting "," ws name-2 [!?]? # another
greeting ::= "hi" | "hello" |
             "\x48\u0065\U00000079"
ws ::= [ \t]*
name-2 ::= [A-Z] [a-z]+ ("-" [A-Z] [a-z]+)*
)");
  ASSERT_TRUE(root);
  EXPECT_TRUE(Matches(root, "hi,Bob"));
  EXPECT_TRUE(Matches(root, "Hey, \tAda-Lena!"));
  EXPECT_FALSE(Matches(root, "Hey, bob"));
  EXPECT_FALSE(Matches(root, "hello"));
  EXPECT_FALSE(Matches(root, "hi,Bob!!"));
}

TEST(Gbnf, CountsRepetitions) {
  const auto counts = [](std::string_view body, size_t limit) {
    std::vector<size_t> out;
    const auto grammar = Gbnf("root ::= \"<\" (" + std::string(body) + ") \">\"");
    for (size_t n = 0; n <= limit; ++n) {
      if (Matches(grammar, "<" + std::string(n, 'a') + ">")) out.push_back(n);
    }
    return out;
  };
  EXPECT_EQ(counts("\"a\"{3}", 9), (std::vector<size_t>{3}));
  EXPECT_EQ(counts("\"a\"{2,4}", 9), (std::vector<size_t>{2, 3, 4}));
  EXPECT_EQ(counts("\"a\"{0,1}", 9), (std::vector<size_t>{0, 1}));
  EXPECT_EQ(counts("\"a\"{0}", 9), (std::vector<size_t>{0}));
  EXPECT_EQ(counts("\"a\"{7,}", 9), (std::vector<size_t>{7, 8, 9}));
  EXPECT_EQ(counts("\"a\"+", 3), (std::vector<size_t>{1, 2, 3}));
  EXPECT_EQ(counts("(\"a\"{2}){2,3}", 9), (std::vector<size_t>{4, 6}));
}

// They are made of blocks of 4096.
TEST(Gbnf, CountsLongRepetitions) {
  for (const auto& [min, max] : {std::pair<size_t, size_t>{0, 130},
                                 {0, 8191},
                                 {0, 8192},
                                 {1, 12300},
                                 {8192, 8193},
                                 {8200, 20000}}) {
    const auto grammar = Gbnf(fmt::format("root ::= \"<\" \"a\"{{{},{}}} \">\"", min, max));
    GrammarMatcher matcher(grammar, VocabularyTrie::Build({}));
    ASSERT_TRUE(matcher.AcceptBytes("<"));
    for (size_t n = 0; n <= max; ++n) {
      GrammarMatcher fork = matcher;
      ASSERT_EQ(fork.AcceptBytes(">"), n >= min) << n << " of " << min << " to " << max;
      ASSERT_EQ(matcher.AcceptBytes("a"), n < max) << n << " of " << min << " to " << max;
    }
  }
}

TEST(Gbnf, ClassesAreOfCharacters) {
  const auto root = Gbnf(R"(root ::= [^a-c\]] [\u00e9-\u00ff-] .)");
  EXPECT_TRUE(Matches(root, "dé中"));
  EXPECT_TRUE(Matches(root, "😀-😀"));
  EXPECT_TRUE(Matches(root, "\nÿ\n"));
  EXPECT_FALSE(Matches(root, "bé中"));
  EXPECT_FALSE(Matches(root, "]é中"));
  EXPECT_FALSE(Matches(root, "dĀ中"));
  EXPECT_FALSE(Matches(root, "dé\x80"));
  EXPECT_FALSE(Matches(root, "d\xc3\xa9\xed\xa0\x80"));  // a surrogate
}

TEST(Gbnf, EveryCharacterOnceAsUtf8) {
  const auto any = Gbnf("root ::= .");
  const auto greek = Gbnf(R"(root ::= [\u03b1-\U0001f600])");
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    AppendUtf8(c, text);
    ASSERT_TRUE(Matches(any, text)) << static_cast<uint32_t>(c);
    ASSERT_EQ(Matches(greek, text), c >= 0x3b1 && c <= 0x1f600) << static_cast<uint32_t>(c);
  }
}

TEST(Gbnf, RecursionKeepsItsStacks) {
  const auto root = Gbnf(R"g(root ::= "(" root ")" | "[" root "]" | "x")g");
  EXPECT_TRUE(Matches(root, "([(x)])"));
  EXPECT_FALSE(Matches(root, "([(x])]"));
  const auto sums = Gbnf(R"g(root ::= term ("+" term)*
term ::= "1" | "(" root ")" | "(" root ")" "!")g");
  EXPECT_TRUE(Matches(sums, "((1+1)!+1)+1"));
  EXPECT_FALSE(Matches(sums, "((1+1)!!+1)+1"));
}

TEST(Gbnf, ErrorsNameTheRuleAndTheLine) {
  EXPECT_EQ(Error("root ::= \"a\"\nb ::= (\"x\""),
            "g: rule \"b\": line 2: found the end of the text, expected ')'");
  EXPECT_EQ(Error("root ::= a\n"),
            "g: line 1: found \"a\", which is not defined, expected a rule of this name");
  EXPECT_EQ(Error("a ::= \"x\""),
            "g: found no rule \"root\", expected one: the text begins with it");
  EXPECT_EQ(Error("root ::= \"x\"\nroot ::= \"y\""),
            "g: rule \"root\": line 2: found a second definition, expected each rule once");
  EXPECT_EQ(Error("root ::= \"abc"),
            "g: rule \"root\": line 1: found the end of the text, expected the closing '\"'");
  EXPECT_EQ(Error("root ::= [z-a]"),
            "g: rule \"root\": line 1: found a range that descends, expected ranges that ascend");
  EXPECT_EQ(Error("root ::= \"a\"{3,2}"),
            "g: rule \"root\": line 1: found {3,2}, expected a maximum above the minimum");
  EXPECT_EQ(Error("root ::= <[12]>"),
            "g: rule \"root\": line 1: found \"<[12]>\", expected an item");
  EXPECT_EQ(Error("= x"), "g: line 1: found \"= x\", expected a rule: name ::= ...");
  EXPECT_EQ(Error("root ::= \"\\ud800\""),
            "g: rule \"root\": line 1: found U+D800, expected a character");
  EXPECT_NE(Error("root ::= \"\\q\"").find("expected an escape"), std::string::npos);
  EXPECT_NE(Error("root ::= \"\xff\"").find("not UTF-8"), std::string::npos);
}

TEST(Gbnf, RefusesLeftRecursion) {
  for (const char* text : {"root ::= root \"a\" | \"a\"", "root ::= b \"x\" | \"x\"\nb ::= root",
                           "root ::= e root \"a\" | \"a\"\ne ::= \"e\"?",
                           "root ::= (root | \"a\")*", "root ::= root{2,3} | \"a\""}) {
    const auto grammar = Grammar::FromGbnf(text, "g");
    ASSERT_FALSE(grammar.ok()) << text;
    EXPECT_EQ(grammar.status().code(), StatusCode::kUnsupported);
    EXPECT_NE(grammar.status().message().find("left recursion"), std::string::npos);
  }
  EXPECT_EQ(Error("root ::= x\nx ::= x \"a\" | \"a\""),
            "g: rule \"x\": found left recursion (the rule begins with itself), expected a byte "
            "before every recursion");
}

TEST(Gbnf, RefusesWhatMatchesNothing) {
  EXPECT_EQ(Error("root ::= \"a\" root"),
            "g: found a grammar that no finite text matches, expected one that some text matches");
  // A part that cannot end is removed, and never begun.
  const auto root = Gbnf("root ::= \"a\" | \"b\" endless\nendless ::= \"c\" endless");
  GrammarMatcher matcher(root, ByteVocabulary());
  std::vector<uint64_t> bits;
  matcher.FillAllowed(bits);
  EXPECT_EQ(AllowedIds(bits), std::vector<int32_t>{'a'});
}

TEST(Gbnf, Limits) {
  const auto code = [](const std::string& text) {
    return Grammar::FromGbnf(text, "g").status().code();
  };
  EXPECT_EQ(code(std::string(grammar::kMaxTextBytes + 1, ' ')), StatusCode::kResource);
  EXPECT_EQ(code("root ::= \"a\"{100001}"), StatusCode::kResource);
  EXPECT_EQ(code("root ::= \"a\"{99999999999999999999999}"), StatusCode::kResource);
  EXPECT_EQ(code("root ::= " + std::string(65, '(') + "\"a\"" + std::string(65, ')')),
            StatusCode::kResource);
  EXPECT_EQ(code("root ::= " + std::string(64, '(') + "\"a\"" + std::string(64, ')')),
            StatusCode::kOk);
  std::string rules = "root ::= \"a\"\n";
  for (int i = 0; i < 10'001; ++i) rules += "r" + std::to_string(i) + " ::= \"b\"\n";
  EXPECT_EQ(code(rules), StatusCode::kResource);
  // Each alone is allowed; together they are too many states.
  std::string counts = "root ::= \"a\"";
  for (int i = 0; i < 300; ++i) counts += " (\"b\"{99999})";
  EXPECT_EQ(code(counts), StatusCode::kResource);
}

}  // namespace
}  // namespace ringlet
