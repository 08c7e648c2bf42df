#include "train/data/build_shards.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "base/file.h"
#include "train/data/test_data.h"

namespace ringlet {
namespace {

// The directory's files by name.
std::map<std::string, std::string> Contents(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    files[entry.path().filename().string()] = *ReadFile(entry.path().string());
  }
  return files;
}

class BuildShardsTest : public ::testing::Test {
 protected:
  std::vector<SourceFile> Files() const {
    auto files = FindSources(std::vector<std::string>{dir_.path() + "/text"});
    EXPECT_TRUE(files.ok()) << files.status().message();
    return *files;
  }
  void WriteTexts() const {
    std::filesystem::create_directory(dir_.path() + "/text");
    dir_.Write("text/a.jsonl", JsonLines(TestTexts(1, 200, 40)));
    dir_.Write("text/b.txt", "plain abcd\n");
    dir_.Write("text/c.txt", " \n");
    dir_.Write("text/d.jsonl", JsonLines(TestTexts(2, 100, 90)));
  }
  Result<ShardBuildReport> Build(const std::string& name, const ShardBuildOptions& options,
                                 int threads = 1) const {
    ThreadPool pool(threads);
    return BuildShards(*tokenizer_, Files(), dir_.path() + "/" + name, options, pool);
  }
  std::string Error(const std::string& name, const ShardBuildOptions& options) const {
    const auto report = Build(name, options);
    return report.ok() ? "ok" : report.status().message();
  }

  TempDir dir_;
  std::shared_ptr<const Tokenizer> tokenizer_ = TestTokenizer();
};

TEST_F(BuildShardsTest, HoldsEveryDocumentInOrder) {
  WriteTexts();
  const auto report = Build("data", TestOptions());
  ASSERT_TRUE(report.ok()) << report.status().message();
  std::vector<std::string> expected = TestTexts(1, 200, 40);
  expected.push_back("plain abcd\n");
  for (const std::string& text : TestTexts(2, 100, 90)) expected.push_back(text);
  const auto data = OpenData(dir_.path() + "/data");
  EXPECT_EQ(TextsOf(*data), expected);
  EXPECT_TRUE(data->Verify().ok());
  EXPECT_GT(data->shards().size(), 5u);
  for (size_t s = 0; s + 1 < data->shards().size(); ++s) {
    EXPECT_GE(data->shards()[s]->header().tokens, 300u);
    EXPECT_LT(data->shards()[s]->header().tokens, 300u + 100);
  }
  EXPECT_EQ(report->manifest.empty_documents, 1u);
  EXPECT_EQ(report->manifest.skipped_documents, 0u);
}

TEST_F(BuildShardsTest, ThreadsDoNotMatter) {
  WriteTexts();
  ShardBuildOptions options = TestOptions();
  options.held_out = 0.2;
  ASSERT_TRUE(Build("one", options, 1).ok());
  ASSERT_TRUE(Build("three", options, 3).ok());
  EXPECT_EQ(Contents(dir_.path() + "/one"), Contents(dir_.path() + "/three"));
}

TEST_F(BuildShardsTest, HoldsOutByHash) {
  WriteTexts();
  // Equal texts must not be in both splits.
  dir_.Write("text/e.jsonl", JsonLines(TestTexts(1, 200, 40)));
  ShardBuildOptions options = TestOptions();
  options.held_out = 0.25;
  ASSERT_TRUE(Build("data", options).ok());
  auto train = TextsOf(*OpenData(dir_.path() + "/data"));
  auto held_out = TextsOf(*OpenData(dir_.path() + "/data", Split::kHeldOut));
  EXPECT_EQ(train.size() + held_out.size(), 501u);
  EXPECT_GT(held_out.size(), 80u);
  EXPECT_LT(held_out.size(), 170u);
  std::ranges::sort(train);
  for (const std::string& text : held_out) EXPECT_FALSE(std::ranges::binary_search(train, text));
}

TEST_F(BuildShardsTest, InterruptedAnywhereItContinuesToTheSameBytes) {
  WriteTexts();
  ShardBuildOptions options = TestOptions();
  options.held_out = 0.3;
  options.batch_bytes = 1000;
  ASSERT_TRUE(Build("whole", options).ok());
  const auto whole = Contents(dir_.path() + "/whole");
  uint64_t resumed = 0;
  bool stopped_once = true;
  for (int stop = 1; stopped_once; ++stop) {
    const std::string name = fmt::format("stopped{}", stop);
    int calls = 0;
    ShardBuildOptions stopping = options;
    stopping.progress = [&](uint64_t, uint64_t) { return ++calls < stop; };
    const auto stopped = Build(name, stopping);
    stopped_once = !stopped.ok();
    if (!stopped_once) break;
    EXPECT_EQ(stopped.status().code(), StatusCode::kCancelled);
    EXPECT_FALSE(ShardSet::Open(dir_.path() + "/" + name, Split::kTrain).ok());
    const auto report = Build(name, options);
    ASSERT_TRUE(report.ok()) << report.status().message();
    resumed += report->resumed_shards;
    EXPECT_EQ(report->manifest.empty_documents, 1u);
    EXPECT_EQ(Contents(dir_.path() + "/" + name), whole) << "stopped at " << stop;
  }
  EXPECT_GT(resumed, 50u);
}

TEST_F(BuildShardsTest, FinishedDataIsLeftAndDamagedDataMadeAgain) {
  WriteTexts();
  ASSERT_TRUE(Build("data", TestOptions()).ok());
  const std::string directory = dir_.path() + "/data";
  const auto whole = Contents(directory);
  auto again = Build("data", TestOptions());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->resumed_shards, again->manifest.Of(Split::kTrain).size());
  std::string damaged = whole.at("train-00001.shard");
  damaged[200] ^= 1;
  dir_.Write("data/train-00001.shard", damaged);
  EXPECT_FALSE(OpenData(directory)->Verify().ok());
  again = Build("data", TestOptions());
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_TRUE(again->restarted);
  EXPECT_EQ(Contents(directory), whole);
}

TEST_F(BuildShardsTest, RefusesOtherRunsAndOtherFiles) {
  WriteTexts();
  ASSERT_TRUE(Build("data", TestOptions()).ok());
  ShardBuildOptions options = TestOptions();
  options.end_id = 5;
  EXPECT_NE(Error("data", options).find("data.json: run: found data made of other texts"),
            std::string::npos);
  EXPECT_NE(Error("text", TestOptions()).find("expected a new or empty directory"),
            std::string::npos);
  options.end_id = 1000;
  EXPECT_NE(Error("x", options).find("end token: found id 1000"), std::string::npos);
  options = TestOptions();
  options.held_out = 1;
  EXPECT_NE(Error("x", options).find("held-out share"), std::string::npos);
}

TEST_F(BuildShardsTest, BadDocumentsAreErrorsOrCounted) {
  std::filesystem::create_directory(dir_.path() + "/text");
  dir_.Write("text/a.jsonl", "{\"text\": \"one\"}\n{\"txt\": 1}\n\n{\"text\": \"two\"}\n");
  EXPECT_NE(Error("data", TestOptions()).find("a.jsonl:2: \"text\": found no such field"),
            std::string::npos);
  ShardBuildOptions options = TestOptions();
  options.skip_bad = true;
  const auto report = Build("skipped", options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->manifest.skipped_documents, 1u);
  EXPECT_EQ(TextsOf(*OpenData(dir_.path() + "/skipped")), (std::vector<std::string>{"one", "two"}));
  dir_.Write("text/a.jsonl", "\n{\"text\": \" \"}\n");
  EXPECT_NE(Error("none", options).find("no documents"), std::string::npos);
}

TEST_F(BuildShardsTest, ShardsOfAnotherRunAreNoticed) {
  WriteTexts();
  ASSERT_TRUE(Build("data", TestOptions()).ok());
  const std::string directory = dir_.path() + "/data";
  const auto files = Contents(directory);
  dir_.Write("data/train-00000.shard", files.at("train-00001.shard"));
  const auto data = ShardSet::Open(directory, Split::kTrain);
  ASSERT_FALSE(data.ok());
  EXPECT_NE(data.status().message().find("train-00000.shard: "), std::string::npos);
  EXPECT_NE(ShardSet::Open(directory, Split::kHeldOut).status().message().find("heldout: found no"),
            std::string::npos);
}

}  // namespace
}  // namespace ringlet
