#include "io/grammar/matcher.h"

#include <thread>

#include "io/grammar/grammar_test_util.h"
#include "io/tokenizer_test_util.h"

namespace ringlet {
namespace {

// FillAllowed against Accept of every token, along random walks.
void CompareWithAccept(const std::shared_ptr<const Grammar>& grammar,
                       const std::vector<std::string>& more, uint64_t seed, int steps) {
  const auto vocabulary = ByteVocabulary(more);
  GrammarMatcher matcher(grammar, vocabulary);
  Rng rng(seed);
  std::vector<uint64_t> bits;
  for (int step = 0; step < steps; ++step) {
    matcher.FillAllowed(bits);
    ASSERT_TRUE(matcher.status().ok());
    std::vector<int32_t> accepted;
    for (int32_t id = 0; id < vocabulary->vocab_size(); ++id) {
      GrammarMatcher fork = matcher;
      if (fork.Accept(id)) accepted.push_back(id);
    }
    ASSERT_EQ(AllowedIds(bits), accepted) << "step " << step;
    EXPECT_EQ(matcher.MustEnd(), matcher.CanEnd() && accepted.empty());
    if (accepted.empty()) return;
    ASSERT_TRUE(matcher.Accept(accepted[rng.Below(accepted.size())]));
  }
}

TEST(GrammarMatcher, MasksAreWhatAcceptTakes) {
  const std::shared_ptr<const Grammar> grammars[] = {
      Grammar::AnyJsonObject(), Gbnf(R"(root ::= ("a" | "ab" | "b" root "b" | "1" root "2")*)"),
      Gbnf(R"(root ::= x{0,200} "\""
x ::= [a-c] | "é" | "\\" [nu])"),
      Schema(R"({"type":"object","properties":{"name":{"type":"string","maxLength":3},
        "kind":{"enum":["a","ab","abc",12,123,null]},"x":{"type":"array","items":{"type":"number"}}}})"),
      Schema(R"({"type":"array","items":{"$ref":"#"}})")};
  for (const auto& grammar : grammars) {
    for (uint64_t seed = 0; seed < 6; ++seed) CompareWithAccept(grammar, JsonTokens(), seed, 40);
  }
}

// Far from the ends of a repetition its states share masks, near them they must not.
TEST(GrammarMatcher, MasksOfRepetitionsAreWhatAcceptTakes) {
  std::vector<std::string> tokens;
  for (size_t n = 2; n < 40; ++n) {
    tokens.push_back(std::string(n, 'a'));
    tokens.push_back(std::string(n, 'a') + "\"");
    tokens.push_back(std::string(n, 'a') + "\", \"" + std::string(n, 'a'));
    tokens.push_back("\\n" + std::string(n, 'b') + "\"]");
  }
  const auto vocabulary = ByteVocabulary(tokens);
  for (const auto& [min, max] : {std::pair{0, 70}, {25, 60}, {50, 50}, {0, 8300}}) {
    const auto grammar = Schema(fmt::format(
        R"({{"type":"array","items":{{"type":"string","minLength":{},"maxLength":{}}},"maxItems":3}})",
        min, max));
    GrammarMatcher matcher(grammar, vocabulary);
    ASSERT_TRUE(matcher.AcceptBytes("[\""));
    std::vector<uint64_t> bits;
    for (int n = 0; n <= max; ++n) {
      if (n < 100 || n > 8200) {
        matcher.FillAllowed(bits);
        for (int32_t id = 0; id<vocabulary->vocab_size(); id += n> 100 ? 5 : 1) {
          GrammarMatcher fork = matcher;
          ASSERT_EQ(Allowed(bits, id), fork.Accept(id))
              << min << " " << max << " " << n << " " << id;
        }
      }
      ASSERT_EQ(matcher.AcceptBytes("a"), n < max);
    }
  }
}

// Near the limit of the stacks' depth what is allowed depends on the depth.
TEST(GrammarMatcher, MasksAreWhatAcceptTakesAtTheDepthLimit) {
  const auto grammar = Gbnf(R"(root ::= "[" root "]" | "x" root? "y")");
  std::vector<std::string> tokens;
  for (size_t n = 2; n < 300; n += 7) tokens.push_back(std::string(n, '['));
  for (size_t n = 2; n < 300; n += 7) tokens.push_back(std::string(n, 'x') + "yy]");
  const auto vocabulary = ByteVocabulary(tokens);
  for (const size_t depth : {0, 100, 180, 190, 200, 250, 254, 255, 256}) {
    GrammarMatcher matcher(grammar, vocabulary);
    ASSERT_TRUE(matcher.AcceptBytes(std::string(depth, '['))) << depth;
    std::vector<uint64_t> bits;
    matcher.FillAllowed(bits);
    for (int32_t id = 0; id < vocabulary->vocab_size(); ++id) {
      GrammarMatcher fork = matcher;
      ASSERT_EQ(Allowed(bits, id), fork.Accept(id)) << depth << " " << id;
    }
  }
  GrammarMatcher matcher(grammar, vocabulary);
  EXPECT_FALSE(matcher.AcceptBytes(std::string(258, '[')));
  EXPECT_TRUE(matcher.status().ok());  // deeper is not allowed; nothing has failed
}

TEST(GrammarMatcher, TokensMaySpanElements) {
  const auto grammar = Schema(
      R"({"type":"object","properties":{"a":{"type":"array","items":{"const":"x"}}},
          "required":["a"],"additionalProperties":false})");
  const auto vocabulary = ByteVocabulary({"{\"a\":[\"", "x\",\"x", "\"]}", "\"]}}", "\"] }"});
  GrammarMatcher matcher(grammar, vocabulary);
  EXPECT_FALSE(matcher.Accept(257));
  ASSERT_TRUE(matcher.Accept(256));
  ASSERT_TRUE(matcher.Accept(257));
  EXPECT_FALSE(matcher.CanEnd());
  EXPECT_FALSE(matcher.Accept(259));
  std::vector<uint64_t> bits;
  matcher.FillAllowed(bits);
  EXPECT_EQ(AllowedIds(bits), (std::vector<int32_t>{'"', 258, 260}));
  ASSERT_TRUE(matcher.Accept(258));
  EXPECT_TRUE(matcher.CanEnd());
  EXPECT_TRUE(matcher.MustEnd());
  matcher.FillAllowed(bits);
  EXPECT_TRUE(AllowedIds(bits).empty());
}

TEST(GrammarMatcher, RefusalChangesNothing) {
  GrammarMatcher matcher(Gbnf("root ::= \"abc\"{1,2}"), ByteVocabulary({"abca", "abx", ""}));
  EXPECT_FALSE(matcher.Accept(257));
  EXPECT_FALSE(matcher.Accept(258));  // no bytes: not in the trie
  EXPECT_FALSE(matcher.Accept(-1));
  EXPECT_FALSE(matcher.Accept(259));
  EXPECT_TRUE(matcher.Accept(256));
  EXPECT_FALSE(matcher.AcceptBytes("bcd"));
  EXPECT_TRUE(matcher.AcceptBytes("bc"));
  EXPECT_TRUE(matcher.MustEnd());
  EXPECT_TRUE(matcher.AcceptBytes(""));
}

TEST(GrammarMatcher, CopiesGoTheirOwnWays) {
  const auto vocabulary = ByteVocabulary(JsonTokens());
  GrammarMatcher original(Grammar::AnyJsonObject(), vocabulary);
  ASSERT_TRUE(original.AcceptBytes("{\"a\": [1, "));
  std::vector<std::thread> threads;
  std::vector<int> ended(4);
  for (size_t i = 0; i < ended.size(); ++i) {
    threads.emplace_back([&ended, i, fork = original]() mutable {
      std::vector<uint64_t> bits;
      for (int n = 0; n < 200; ++n) {
        fork.FillAllowed(bits);
        if (!fork.AcceptBytes(i % 2 == 0 ? "{\"b\":2}, " : "\"\\u00e9\", ")) return;
      }
      ended[i] = fork.AcceptBytes("0]}") && fork.MustEnd() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, (std::vector<int>{1, 1, 1, 1}));
  EXPECT_FALSE(original.CanEnd());
  EXPECT_TRUE(original.AcceptBytes("2]}"));
}

// Ever new stacks fill the caches, which are then begun anew: otherwise they would reach the limit
// where a matcher fails.
TEST(GrammarMatcher, GoesOnWhenItsCachesAreFull) {
  std::string text = "root ::= \"a\" root \"x\" | \"b\" root \"y\" | \"c\" root? \"z\"";
  for (int c = '0'; c < 'Z'; c += 2) {  // many classes of bytes make large tables
    if (c != '\\') text += fmt::format(" | \"{}\"", static_cast<char>(c));
  }
  const auto grammar = Gbnf(text);
  const auto vocabulary = ByteVocabulary({"ab", "ba", "abab"});
  GrammarMatcher matcher(grammar, vocabulary);
  const GrammarMatcher start = matcher;
  Rng rng(1);
  std::vector<uint64_t> bits;
  for (int round = 0; round < 2000; ++round) {
    GrammarMatcher fork = start;
    std::string ends;
    for (int i = 0; i < 200; ++i) {
      const char c = "ab"[rng.Below(2)];
      ASSERT_TRUE(fork.AcceptBytes(std::string_view(&c, 1)));
      if (i % 50 == 0) fork.FillAllowed(bits);
      ends.insert(ends.begin(), c == 'a' ? 'x' : 'y');
    }
    ASSERT_TRUE(fork.AcceptBytes("cz" + ends));
    ASSERT_TRUE(fork.MustEnd());
  }
}

TEST(VocabularyTrie, LeavesOutSpecialTokens) {
  Json json = TinyTokenizerJson(EnglishMerges());
  json["added_tokens"] = {AddedTokenJson(300, "<|end|>", true),
                          AddedTokenJson(302, "<think>", false)};
  const auto tokenizer = Tokenizer::FromJson(json.dump(), "t");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  const auto trie = VocabularyTrie::Build(**tokenizer);
  EXPECT_EQ(trie->vocab_size(), 303);
  EXPECT_EQ(trie->TokenBytes(259), "hello");
  EXPECT_EQ(trie->TokenBytes(300), "");
  EXPECT_EQ(trie->TokenBytes(302), "<think>");
  GrammarMatcher matcher(Gbnf("root ::= .*"), trie);
  std::vector<uint64_t> bits;
  matcher.FillAllowed(bits);
  EXPECT_TRUE(Allowed(bits, 259));
  EXPECT_FALSE(Allowed(bits, 299));  // a hole
  EXPECT_FALSE(Allowed(bits, 300));
  EXPECT_FALSE(Allowed(bits, 301));
  EXPECT_TRUE(Allowed(bits, 302));
}

TEST(VocabularyTrie, KeepsEqualTokens) {
  GrammarMatcher matcher(Gbnf("root ::= \"ab\""), ByteVocabulary({"ab", "ab", "a"}));
  std::vector<uint64_t> bits;
  matcher.FillAllowed(bits);
  EXPECT_EQ(AllowedIds(bits), (std::vector<int32_t>{'a', 256, 257, 258}));
}

}  // namespace
}  // namespace ringlet
