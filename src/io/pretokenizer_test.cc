#include "io/pretokenizer.h"

#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "base/rng.h"

namespace ringlet {
namespace {

class Collector : public PieceSink {
 public:
  void Piece(std::string_view piece) override { pieces.emplace_back(piece); }
  std::vector<std::string> pieces;
};

std::vector<std::string> Split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  RegexScratch scratch(text.size());
  Collector collector;
  const Status status = pre_tokenizer.Split(text, scratch, collector);
  EXPECT_TRUE(status.ok()) << status.message();
  return collector.pieces;
}

PreTokenizerStage Stage(std::string_view pattern, SplitBehavior behavior = SplitBehavior::kIsolated,
                        bool invert = false) {
  Result<Regex> regex = Regex::Compile(pattern, "test", "pattern");
  EXPECT_TRUE(regex.ok()) << regex.status().message();
  PreTokenizerStage stage;
  stage.pattern = std::move(regex).value();
  stage.behavior = behavior;
  stage.invert = invert;
  return stage;
}

// tests/data/pretokenizer_goldens.json: the pieces that the tokenizers library (Oniguruma) makes.
TEST(PreTokenizer, AgreesWithPublishedOnes) {
  const std::map<std::string, SplitBehavior> behaviors = {
      {"Isolated", SplitBehavior::kIsolated},
      {"Removed", SplitBehavior::kRemoved},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const auto goldens =
      ReadJsonFile(std::string(RINGLET_SOURCE_DIR) + "/tests/data/pretokenizer_goldens.json");
  ASSERT_TRUE(goldens.ok()) << goldens.status().message();
  size_t compared = 0;
  for (const Json& golden : *goldens) {
    std::vector<PreTokenizerStage> stages;
    for (const Json& stage : golden["stages"]) {
      stages.push_back(Stage(stage["regex"].get<std::string>(),
                             behaviors.at(stage["behavior"].get<std::string>()),
                             stage["invert"].get<bool>()));
    }
    const PreTokenizer pre_tokenizer(std::move(stages));
    for (const Json& item : golden["cases"]) {
      const std::string text = item["text"];
      EXPECT_EQ(Split(pre_tokenizer, text), item["pieces"].get<std::vector<std::string>>())
          << golden["name"] << " " << item["text"];
      ++compared;
    }
  }
  EXPECT_GT(compared, 1000u);
}

TEST(PreTokenizer, GoldensUseTheBuiltInPatterns) {
  const auto goldens =
      ReadJsonFile(std::string(RINGLET_SOURCE_DIR) + "/tests/data/pretokenizer_goldens.json");
  ASSERT_TRUE(goldens.ok());
  const std::map<std::string, std::string_view> built_in = {{"gpt2", patterns::kGpt2},
                                                            {"llama3", patterns::kLlama3},
                                                            {"qwen2", patterns::kQwen2},
                                                            {"ling", patterns::kLing}};
  size_t found = 0;
  for (const Json& golden : *goldens) {
    const auto known = built_in.find(golden["name"]);
    if (known == built_in.end()) continue;
    EXPECT_EQ(golden["stages"][0]["regex"], known->second);
    ++found;
  }
  EXPECT_EQ(found, built_in.size());
}

TEST(PreTokenizer, PrefixSpace) {
  PreTokenizerStage stage = Stage(patterns::kGpt2);
  stage.add_prefix_space = true;
  const PreTokenizer pre_tokenizer({stage});
  EXPECT_EQ(Split(pre_tokenizer, "hi you"), (std::vector<std::string>{" hi", " you"}));
  EXPECT_EQ(Split(pre_tokenizer, " hi"), (std::vector<std::string>{" hi"}));
  EXPECT_EQ(Split(pre_tokenizer, "\nhi"), (std::vector<std::string>{" ", "\n", "hi"}));
  EXPECT_EQ(Split(pre_tokenizer, ""), (std::vector<std::string>{}));
}

TEST(PreTokenizer, InvalidBytesAreTheirOwnPieces) {
  const PreTokenizer pre_tokenizer({Stage(patterns::kQwen2)});
  EXPECT_EQ(Split(pre_tokenizer, "ab\xFF\xFE  cd\xE2\x82"),
            (std::vector<std::string>{"ab", "\xFF", "\xFE", " ", " cd", "\xE2", "\x82"}));
}

// Isolated loses nothing, whatever the bytes.
TEST(PreTokenizer, IsolatedPiecesAddUpToTheText) {
  Rng rng(17);
  const PreTokenizer pre_tokenizers[] = {
      PreTokenizer({Stage(patterns::kDigit), Stage(patterns::kGpt2)}),
      PreTokenizer({Stage(patterns::kLlama3)}), PreTokenizer({Stage(patterns::kLing)}),
      PreTokenizer()};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    const size_t size = rng.Below(round % 50 == 0 ? 5000 : 60);
    while (text.size() < size) {
      text +=
          rng.Below(3) == 0 ? static_cast<char>(rng.Below(256)) : "a '\n9\xC3\xA9"[rng.Below(7)];
    }
    for (const PreTokenizer& pre_tokenizer : pre_tokenizers) {
      std::string joined;
      for (const std::string& piece : Split(pre_tokenizer, text)) joined += piece;
      ASSERT_EQ(joined, text);
    }
  }
}

// The window within which a match is first tried is 1 KiB: matches, look-ahead and gaps that cross
// its end must come out as if there were none.
TEST(PreTokenizer, LongRunsCrossTheWindow) {
  const PreTokenizer pre_tokenizer({Stage(patterns::kLlama3)});
  for (const size_t size : {1000, 1022, 1023, 1024, 1025, 1026, 4095, 4096, 5000, 100000}) {
    const std::string letters(size, 'a'), spaces(size, ' '), lines(size, '\n');
    EXPECT_EQ(Split(pre_tokenizer, letters), (std::vector<std::string>{letters}));
    EXPECT_EQ(Split(pre_tokenizer, spaces), (std::vector<std::string>{spaces}));
    EXPECT_EQ(Split(pre_tokenizer, spaces + "x"),
              (std::vector<std::string>{spaces.substr(1), " x"}));
    EXPECT_EQ(Split(pre_tokenizer, spaces + "\nx"), (std::vector<std::string>{spaces + "\n", "x"}));
    EXPECT_EQ(Split(pre_tokenizer, lines + "x"), (std::vector<std::string>{lines, "x"}));
    EXPECT_EQ(Split(pre_tokenizer, letters + spaces), (std::vector<std::string>{letters, spaces}));
    std::string wide;
    for (size_t i = 0; i < size; ++i) wide += "\u00E9";
    EXPECT_EQ(Split(pre_tokenizer, wide + "1"), (std::vector<std::string>{wide, "1"}));
  }
  const PreTokenizer digits({Stage(patterns::kDigit)});
  const std::string letters(5000, 'a');
  EXPECT_EQ(Split(digits, letters + "1" + letters),
            (std::vector<std::string>{letters, "1", letters}));
  EXPECT_EQ(Split(digits, letters), (std::vector<std::string>{letters}));
}

TEST(Regex, TranslatesTheDialect) {
  EXPECT_EQ(TranslateOniguruma(R"(\s\S\w\W[^\s\w]\u00e9)").value(),
            R"(\p{White_Space}\P{White_Space}[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}])"
            R"([^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}])"
            R"([^\p{White_Space}\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]\x{00e9})");
  for (const std::string_view same : {R"((?i:a|b)\p{L}++\x{41}+[]a][^]a])", R"(a{2,3}\p{Lu}+)",
                                      R"(\\s\[\()", R"((?=a)(?<!b)(?>c))", R"((?i)ab)", "\\"}) {
    EXPECT_EQ(TranslateOniguruma(same).value(), same);
  }
}

TEST(Regex, RefusesWhatTheDialectsReadDifferently) {
  for (const std::string_view pattern :
       {R"(\bword)",     R"(\B)",          R"(\h+)",         R"(\H)",       R"([\W])",
        R"([a[bc]])",    R"([a-z&&[^b]])", R"([[:alpha:]])", R"(a(?i)b|c)", R"((?m:.))",
        R"((?s).)",      R"(a{,3})",       R"(a{2}+)",       R"(a{2}?)",    R"((*ACCEPT)a)",
        R"(a(*COMMIT))", R"(\Kx)",         R"(\X)",          R"(\R)",       R"(\Qa\E)",
        R"(\u12)",       R"(\C)"}) {
    const auto translated = TranslateOniguruma(pattern);
    ASSERT_FALSE(translated.ok()) << pattern;
    EXPECT_EQ(translated.status().code(), StatusCode::kUnsupported) << pattern;
  }
}

TEST(Regex, RefusesBadPatterns) {
  for (const std::string& pattern :
       {std::string("("), std::string("[a"), std::string("a**b("), std::string(R"(\p{Nonsense})"),
        std::string("\xFF"), std::string(5000, 'a'),
        std::string(300, '(') + std::string(300, ')')}) {
    const auto regex = Regex::Compile(pattern, "file", "field");
    ASSERT_FALSE(regex.ok()) << pattern;
    EXPECT_EQ(regex.status().code(), StatusCode::kInvalidInput);
    EXPECT_TRUE(regex.status().message().starts_with("file: field: ")) << regex.status().message();
  }
}

// Patterns that would run for years come back with an error; others, though quadratic on their own,
// stay within the budget or fail too.
TEST(Regex, HostilePatternsStop) {
  const std::string run(200000, 'a');
  for (const std::string_view pattern :
       {"(a+)+$|\n", "(a*)*b", "(?:a|aa)+b", "(a|a)*c", "(.*)*x", "(?:a*+(?!b)|a)*c",
        "a*a*a*a*a*a*b", "(?:(?=a*x)a|a)*y", "(?R)?a*b"}) {
    const auto regex = Regex::Compile(pattern, "file", "field");
    ASSERT_TRUE(regex.ok()) << regex.status().message();
    RegexScratch scratch(run.size());
    size_t at = 0;
    Status status;
    for (int i = 0; i < 100 && status.ok() && at < run.size(); ++i) {
      const auto match = regex->Find(run, at, scratch);
      status = match.status();
      if (match.ok()) at = match->has_value() ? std::max(at + 1, (*match)->end) : run.size();
    }
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kResource) << status.message();
    }
  }
  // These two must fail: nothing else could have ended them.
  for (const std::string_view pattern : {"(a+)+$", "(?:a|aa)+$"}) {
    const auto regex = Regex::Compile(pattern, "file", "field");
    RegexScratch scratch(100);
    EXPECT_EQ(regex->Find(std::string(60, 'a') + "!", 0, scratch).status().code(),
              StatusCode::kResource);
  }
}

// Repeated groups need more stack than the compiled matcher has; the interpreter takes over.
TEST(Regex, LongRepeatedGroups) {
  const auto regex = Regex::Compile("((?=[a-z])([^A-Z]))+", "file", "field");
  ASSERT_TRUE(regex.ok());
  const std::string run(20000, 'a');
  RegexScratch scratch(run.size());
  const auto match = regex->Find(run, 0, scratch);
  ASSERT_TRUE(match.ok()) << match.status().message();
  EXPECT_EQ((*match)->end, run.size());
}

}  // namespace
}  // namespace ringlet
