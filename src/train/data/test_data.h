// Texts, a tokenizer and data directories for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "io/test_files.h"
#include "io/tokenizer_test_util.h"
#include "train/data/build_shards.h"
#include "train/data/shard_set.h"

namespace ringlet {

// Bytes 0 to 255 and a few pairs.
inline std::shared_ptr<const Tokenizer> TestTokenizer(const MergeList& merges = {{"a", "b"},
                                                                                 {"c", "d"}}) {
  auto tokenizer = Tokenizer::FromJson(TinyTokenizerJson(merges).dump(), "test");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return *tokenizer;
}

inline constexpr int32_t kTestEnd = 0;  // the NUL byte, which is in no text

// `count` different documents of up to `longest` letters.
inline std::vector<std::string> TestTexts(uint64_t seed, int count, uint64_t longest) {
  Rng rng(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string text = fmt::format("{} ", i);
    for (uint64_t n = rng.Below(longest) + 1; n > 0; --n) {
      text += static_cast<char>('a' + rng.Below(6));
    }
    texts.push_back(text);
  }
  return texts;
}

inline std::string JsonLines(const std::vector<std::string>& texts) {
  std::string lines;
  for (const std::string& text : texts) lines += Json{{"text", text}}.dump() + "\n";
  return lines;
}

inline ShardBuildOptions TestOptions() {
  ShardBuildOptions options;
  options.end_id = kTestEnd;
  options.shard_tokens = 300;
  return options;
}

// One JSONL file of `texts` as a data directory.
inline std::string MakeData(const TempDir& dir, const std::string& name,
                            const std::vector<std::string>& texts,
                            const ShardBuildOptions& options = TestOptions()) {
  const auto files =
      FindSources(std::vector<std::string>{dir.Write(name + ".jsonl", JsonLines(texts))});
  ThreadPool pool(2);
  const std::string directory = dir.path() + "/" + name;
  const auto report = BuildShards(*TestTokenizer(), *files, directory, options, pool);
  EXPECT_TRUE(report.ok()) << report.status().message();
  return directory;
}

inline std::shared_ptr<const ShardSet> OpenData(const std::string& directory,
                                                Split split = Split::kTrain) {
  auto data = ShardSet::Open(directory, split);
  EXPECT_TRUE(data.ok()) << data.status().message();
  return *data;
}

// Every document of the split as text, checked to end with kTestEnd.
inline std::vector<std::string> TextsOf(const ShardSet& data) {
  std::vector<std::string> texts;
  const auto tokenizer = TestTokenizer();
  for (const auto& shard : data.shards()) {
    for (uint64_t d = 0; d < shard->header().documents; ++d) {
      std::vector<int32_t> ids(shard->DocumentStart(d + 1) - shard->DocumentStart(d));
      EXPECT_TRUE(shard->Read(shard->DocumentStart(d), ids).ok());
      EXPECT_EQ(ids.back(), kTestEnd);
      ids.pop_back();
      texts.push_back(tokenizer->Decode(ids, false));
    }
  }
  return texts;
}

}  // namespace ringlet
