#include "train/data/bpe_trainer.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "io/test_files.h"
#include "io/tokenizer.h"

namespace ringlet {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

// Training as its definition says: counts every pair anew before each merge.
Merges SlowMerges(std::map<std::string, int64_t> words, const std::vector<std::string>& bytes,
                  size_t count, int64_t min_count) {
  std::vector<std::string> tokens = bytes;  // by id
  std::vector<std::pair<std::vector<size_t>, int64_t>> texts;
  for (const auto& [word, weight] : words) {
    std::vector<size_t> ids;
    for (const char c : word) {
      ids.push_back(
          static_cast<size_t>(std::ranges::find(bytes, std::string(1, c)) - bytes.begin()));
    }
    texts.emplace_back(ids, weight);
  }
  Merges merges;
  while (tokens.size() < bytes.size() + count) {
    std::map<std::pair<size_t, size_t>, int64_t> pairs;
    for (const auto& [ids, weight] : texts) {
      for (size_t i = 0; i + 1 < ids.size(); ++i) pairs[{ids[i], ids[i + 1]}] += weight;
    }
    auto best = pairs.end();
    for (auto pair = pairs.begin(); pair != pairs.end(); ++pair) {
      if (best == pairs.end() || pair->second > best->second) best = pair;
    }
    if (best == pairs.end() || best->second < min_count) break;
    const auto [left, right] = best->first;
    const std::string joined = tokens[left] + tokens[right];
    size_t id = static_cast<size_t>(std::ranges::find(tokens, joined) - tokens.begin());
    if (id == tokens.size()) tokens.push_back(joined);
    // A pair can come back, when its left token comes about in another way.
    const std::pair merge(tokens[left], tokens[right]);
    if (std::ranges::find(merges, merge) == merges.end()) merges.push_back(merge);
    for (auto& [ids, weight] : texts) {
      std::vector<size_t> next;
      for (size_t i = 0; i < ids.size(); ++i) {
        const bool joins = i + 1 < ids.size() && ids[i] == left && ids[i + 1] == right;
        next.push_back(joins ? id : ids[i]);
        i += joins ? 1 : 0;
      }
      ids = next;
    }
  }
  return merges;
}

BpeTrainerOptions Options(int32_t vocab) {
  BpeTrainerOptions options;
  options.vocab_size = vocab;
  options.pattern = *WordPattern("ling");
  return options;
}

std::string BytesOf(const TrainedBpe& bpe, int32_t id) {
  return bpe.tokens[static_cast<size_t>(id) - bpe.special_tokens.size()];
}

Merges MergesOf(const TrainedBpe& bpe) {
  Merges merges;
  for (const auto& merge : bpe.merges) {
    merges.emplace_back(BytesOf(bpe, merge.left), BytesOf(bpe, merge.right));
    EXPECT_EQ(merges.back().first + merges.back().second, BytesOf(bpe, merge.result));
  }
  return merges;
}

TEST(MergePairs, DoesWhatItsDefinitionSays) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    std::map<std::string, int64_t> words;
    // Few letters: runs of one letter, ties, and tokens that come about in two ways.
    for (int i = 0; i < 30; ++i) {
      std::string word;
      for (uint64_t n = rng.Below(12) + 1; n > 0; --n) {
        word += static_cast<char>('a' + rng.Below(1 + seed % 4));
      }
      words[word] += static_cast<int64_t>(rng.Below(4)) + 1;
    }
    std::vector<WordCounts::Word> counts;
    for (const auto& [word, count] : words) counts.push_back({word, static_cast<uint64_t>(count)});
    BpeTrainerOptions options = Options(257 + 25);
    options.min_count = static_cast<int64_t>(seed % 3);
    const auto bpe = MergePairs(counts, options);
    ASSERT_TRUE(bpe.ok()) << bpe.status().message();
    const std::vector<std::string> bytes(bpe->tokens.begin(), bpe->tokens.begin() + 256);
    EXPECT_EQ(MergesOf(*bpe), SlowMerges(words, bytes, 25, std::max<int64_t>(options.min_count, 1)))
        << "seed " << seed;
  }
}

TEST(MergePairs, SpecialTokensNeverComeOutOfText) {
  const std::vector<WordCounts::Word> words = {{"<end>", 100}, {"<enx", 1}};
  BpeTrainerOptions options = Options(300);
  options.special_tokens = {"<end>"};
  options.min_count = 1;
  const auto bpe = MergePairs(words, options);
  ASSERT_TRUE(bpe.ok());
  EXPECT_EQ(std::ranges::count(bpe->tokens, "<end>"), 0);
  EXPECT_EQ(std::ranges::count(bpe->tokens, "<en"), 1);
}

TEST(TrainBpe, RefusesOptions) {
  ThreadPool pool(1);
  const TempDir dir;
  const auto files = *FindSources(std::vector<std::string>{dir.Write("a", "text")});
  const auto message = [&](const BpeTrainerOptions& options) {
    const auto bpe = TrainBpe(files, options, pool);
    return bpe.ok() ? "ok" : bpe.status().message();
  };
  EXPECT_EQ(message(Options(256)),
            "vocabulary: found 256, expected 257 (special tokens and bytes) to 16777216");
  BpeTrainerOptions options = Options(400);
  options.special_tokens = {"<a>", "<a>"};
  EXPECT_NE(message(options).find("special token: found \"<a>\""), std::string::npos);
  options.special_tokens = {"a"};
  EXPECT_NE(message(options).find("special token: found \"a\""), std::string::npos);
  options.special_tokens = {"\xff\xff"};
  EXPECT_NE(message(options).find("UTF-8"), std::string::npos);
  options = Options(400);
  options.pattern = "(";
  EXPECT_NE(message(options).find("pattern"), std::string::npos);
  EXPECT_FALSE(WordPattern("none").ok());
}

std::string Prose(uint64_t seed, size_t bytes) {
  const std::string_view words[] = {"the ",         "ring ", "it's ",   "sings ",
                                    "caf\xc3\xa9 ", "1984 ", "(and)\n", "\n\n",
                                    "  indented ",  "aaaa ", "\xff "};
  Rng rng(seed);
  std::string text;
  while (text.size() < bytes) text += words[rng.Below(std::size(words))];
  return text;
}

TEST(TrainBpe, ThreadsAndFilesDoNotMatter) {
  const TempDir dir;
  // Longer than the parts that texts are cut into.
  const std::string a = Prose(1, 3 << 20);
  const std::string b = Prose(2, 1000);
  const auto files = *FindSources(std::vector<std::string>{dir.Write("a", a), dir.Write("b", b)});
  std::string first;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const auto bpe = TrainBpe(files, Options(400), pool);
    ASSERT_TRUE(bpe.ok()) << bpe.status().message();
    EXPECT_EQ(bpe->bytes, a.size() + b.size());
    EXPECT_EQ(bpe->documents, 2u);
    if (first.empty()) first = TokenizerJson(*bpe);
    EXPECT_EQ(TokenizerJson(*bpe), first);
  }
}

TEST(TrainBpe, TokenizerReadsItAndKeepsEveryByte) {
  const TempDir dir;
  const std::string text = Prose(3, 20000);
  const auto files = *FindSources(std::vector<std::string>{dir.Write("a", text)});
  ThreadPool pool(2);
  for (const std::string_view pattern : {"gpt2", "llama3", "qwen2", "ling"}) {
    BpeTrainerOptions options = Options(330);
    options.pattern = *WordPattern(pattern);
    options.special_tokens = {"<|endoftext|>", "<pad>"};
    const auto bpe = TrainBpe(files, options, pool);
    ASSERT_TRUE(bpe.ok()) << bpe.status().message();
    const auto tokenizer = Tokenizer::FromJson(TokenizerJson(*bpe), "trained");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_TRUE((*tokenizer)->covers_all_bytes());
    EXPECT_EQ((*tokenizer)->IdOf("<pad>"), 1);
    EXPECT_TRUE((*tokenizer)->IsSpecial(0));
    const auto ids = (*tokenizer)->Encode(text, SpecialTokens::kText);
    ASSERT_TRUE(ids.ok());
    EXPECT_EQ((*tokenizer)->Decode(*ids, false), text);
    EXPECT_LT(ids->size(), text.size() / 2);
  }
}

TEST(TrainBpe, StopsAndSkips) {
  const TempDir dir;
  const auto files = *FindSources(
      std::vector<std::string>{dir.Write("a.jsonl", "{\"text\": \"abab abab\"}\nbroken\n")});
  ThreadPool pool(1);
  BpeTrainerOptions options = Options(300);
  EXPECT_NE(TrainBpe(files, options, pool).status().message().find("a.jsonl:2: "),
            std::string::npos);
  options.skip_bad = true;
  const auto bpe = TrainBpe(files, options, pool);
  ASSERT_TRUE(bpe.ok());
  EXPECT_EQ(bpe->skipped, 1u);
  options.reading = [](uint64_t, uint64_t) { return false; };
  EXPECT_EQ(TrainBpe(files, options, pool).status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace ringlet
