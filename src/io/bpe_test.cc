#include "io/bpe.h"

#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <string>

#include "base/rng.h"

namespace ringlet {
namespace {

// A vocabulary with random merges over the first `letters` bytes.
struct RandomModel {
  explicit RandomModel(Rng& rng, size_t letters, size_t merge_count) : vocabulary(8192) {
    byte_ids.fill(-1);
    std::vector<std::string> tokens;
    for (int byte = 0; byte < 256; ++byte) {
      byte_ids[static_cast<size_t>(byte)] = byte;
      tokens.emplace_back(1, static_cast<char>(byte));
    }
    std::map<std::string, int32_t> ids;
    std::map<std::pair<int32_t, int32_t>, bool> pairs;
    for (size_t tries = 0; tries < 50 * merge_count && merges.size() < merge_count; ++tries) {
      const auto pick = [&] {
        const size_t extra = tokens.size() - 256;
        const size_t i = rng.Below(letters + extra);
        return static_cast<int32_t>(i < letters ? 'a' + i : 256 + i - letters);
      };
      const int32_t left = pick(), right = pick();
      const std::string joined =
          tokens[static_cast<size_t>(left)] + tokens[static_cast<size_t>(right)];
      if (joined.size() > 12 || pairs[{left, right}]) continue;
      pairs[{left, right}] = true;
      const auto [at, added] = ids.emplace(joined, static_cast<int32_t>(tokens.size()));
      if (added) tokens.push_back(joined);
      merges.push_back({left, right, at->second});
    }
    std::vector<int32_t> all;
    for (size_t id = 0; id < tokens.size(); ++id) {
      vocabulary.Set(static_cast<int32_t>(id), tokens[id]);
      all.push_back(static_cast<int32_t>(id));
    }
    vocabulary.BuildIndex(all);
  }

  Vocabulary vocabulary;
  std::array<int32_t, 256> byte_ids;
  std::vector<BpeMerge> merges;
};

// The definition, word for word.
std::vector<int32_t> Naive(const RandomModel& model, std::string_view piece) {
  std::vector<int32_t> ids;
  for (const char c : piece) ids.push_back(model.byte_ids[static_cast<uint8_t>(c)]);
  for (;;) {
    size_t best = model.merges.size(), at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (size_t rank = 0; rank < best; ++rank) {
        if (model.merges[rank].left == ids[i] && model.merges[rank].right == ids[i + 1]) {
          best = rank;
          at = i;
        }
      }
    }
    if (best == model.merges.size()) return ids;
    ids[at] = model.merges[best].result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
}

TEST(Bpe, AgreesWithTheDefinition) {
  Rng rng(1);
  for (int round = 0; round < 60; ++round) {
    const size_t letters = 1 + rng.Below(4);
    const RandomModel model(rng, letters, 1 + rng.Below(60));
    const Bpe bpe(model.byte_ids, model.merges, {}, model.vocabulary);
    BpeCache cache;
    for (const size_t size : {0, 1, 2, 3, 7, 20, 23, 24, 47, 48, 49, 50, 120}) {
      for (int repeat = 0; repeat < 4; ++repeat) {
        std::string piece;
        while (piece.size() < size) piece += static_cast<char>('a' + rng.Below(letters));
        const std::vector<int32_t> expected = Naive(model, piece);
        std::vector<int32_t> plain, first, second;
        bpe.Encode(piece, nullptr, plain);
        bpe.Encode(piece, &cache, first);
        bpe.Encode(piece, &cache, second);
        ASSERT_EQ(plain, expected) << piece;
        ASSERT_EQ(first, expected) << piece;
        ASSERT_EQ(second, expected) << piece;
      }
    }
  }
}

TEST(Bpe, AppendsToWhatIsThere) {
  Rng rng(2);
  const RandomModel model(rng, 2, 20);
  const Bpe bpe(model.byte_ids, model.merges, {}, model.vocabulary);
  for (const size_t size : {5, 500}) {
    std::vector<int32_t> alone, after = {7, 'a', 'b'};
    bpe.Encode(std::string(size, 'a'), nullptr, alone);
    bpe.Encode(std::string(size, 'a'), nullptr, after);
    alone.insert(alone.begin(), {7, 'a', 'b'});
    EXPECT_EQ(after, alone);
  }
}

TEST(Bpe, UnknownBytes) {
  Vocabulary vocabulary(4);
  vocabulary.Set(0, "a");
  vocabulary.Set(1, "?");
  std::array<int32_t, 256> byte_ids;
  byte_ids.fill(-1);
  byte_ids['a'] = 0;
  const auto encode = [&](BpeOptions options) {
    const Bpe bpe(byte_ids, {}, options, vocabulary);
    EXPECT_FALSE(bpe.CoversAllBytes());
    std::vector<int32_t> ids;
    bpe.Encode("axxaxx", nullptr, ids);
    return ids;
  };
  EXPECT_EQ(encode({}), (std::vector<int32_t>{0, 0}));
  EXPECT_EQ(encode({.unk = 1}), (std::vector<int32_t>{0, 1, 1, 0, 1, 1}));
  EXPECT_EQ(encode({.unk = 1, .fuse_unk = true}), (std::vector<int32_t>{0, 1, 0, 1}));
}

TEST(Bpe, IgnoreMergesTakesWholePieces) {
  Vocabulary vocabulary(4);
  vocabulary.Set(0, "a");
  vocabulary.Set(1, "b");
  vocabulary.Set(2, "ab");  // no merge leads here
  vocabulary.BuildIndex({0, 1, 2});
  std::array<int32_t, 256> byte_ids;
  byte_ids.fill(-1);
  byte_ids['a'] = 0;
  byte_ids['b'] = 1;
  const auto encode = [&](bool ignore, std::string_view piece) {
    const Bpe bpe(byte_ids, {}, {.ignore_merges = ignore}, vocabulary);
    std::vector<int32_t> ids;
    bpe.Encode(piece, nullptr, ids);
    return ids;
  };
  EXPECT_EQ(encode(true, "ab"), (std::vector<int32_t>{2}));
  EXPECT_EQ(encode(true, "aba"), (std::vector<int32_t>{0, 1, 0}));
  EXPECT_EQ(encode(false, "ab"), (std::vector<int32_t>{0, 1}));
}

// Processor time, so that a busy machine changes nothing.
double Seconds(const Bpe& bpe, const std::string& piece) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    std::vector<int32_t> ids;
    const std::clock_t start = std::clock();
    bpe.Encode(piece, nullptr, ids);
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

TEST(Bpe, OneLongPieceTakesLinearTime) {
  Rng rng(5);
  const RandomModel model(rng, 2, 200);
  const Bpe bpe(model.byte_ids, model.merges, {}, model.vocabulary);
  std::string alternating;
  while (alternating.size() < 1 << 20) alternating += static_cast<char>('a' + rng.Below(2));
  const size_t n = size_t{1} << 19;
  for (const std::string& text : {std::string(2 * n, 'a'), alternating}) {
    const double once = Seconds(bpe, text.substr(0, n));
    const double twice = Seconds(bpe, text.substr(0, 2 * n));
    EXPECT_LT(twice, 3.5 * once + 0.05) << once;
  }
}

}  // namespace
}  // namespace ringlet
