#include "train/data/data_sampler.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "train/data/permutation.h"
#include "train/data/test_data.h"

namespace ringlet {
namespace {

TEST(Permutation, VisitsEverythingOnceAndDependsOnTheKey) {
  for (const uint64_t size : {1u, 2u, 3u, 4u, 5u, 16u, 17u, 1000u, 1024u, 1025u, 5000u}) {
    std::vector<uint64_t> first;
    for (uint64_t key = 0; key < 3; ++key) {
      const Permutation order(size, key);
      std::vector<uint64_t> values;
      for (uint64_t i = 0; i < size; ++i) values.push_back(order(i));
      EXPECT_TRUE(size <= 16 || values != first);
      first = values;
      std::ranges::sort(values);
      for (uint64_t i = 0; i < size; ++i) ASSERT_EQ(values[i], i) << size;
    }
  }
}

// Seeds mean the same data in every release.
TEST(Permutation, IsFixed) {
  const Permutation order(10, 42);
  std::vector<uint64_t> values;
  for (uint64_t i = 0; i < 10; ++i) values.push_back(order(i));
  EXPECT_EQ(values, (std::vector<uint64_t>{0, 3, 2, 9, 5, 6, 1, 7, 8, 4}));
}

class SamplerTest : public ::testing::Test {
 protected:
  static DataSampler Make(std::vector<MixtureSource> sources, int64_t length = 16,
                          uint64_t seed = 7) {
    auto sampler = DataSampler::Create(std::move(sources), length, seed);
    EXPECT_TRUE(sampler.ok()) << sampler.status().message();
    return *std::move(sampler);
  }
  std::shared_ptr<const ShardSet> Data(const std::string& name, uint64_t seed, int count = 60) {
    return OpenData(MakeData(dir_, name, TestTexts(seed, count, 50)));
  }
  static std::string Error(std::vector<MixtureSource> sources, int64_t length) {
    return DataSampler::Create(std::move(sources), length, 1).status().message();
  }

  TempDir dir_;
};

TEST_F(SamplerTest, SequencesAreTheDocumentsPacked) {
  const auto data = Data("a", 1);
  ASSERT_GT(data->shards().size(), 3u);
  // The stream and its documents, read one by one.
  std::vector<int32_t> stream;
  std::set<uint64_t> begins;
  for (const auto& shard : data->shards()) {
    for (uint64_t d = 0; d < shard->header().documents; ++d) {
      begins.insert(stream.size());
      std::vector<int32_t> ids(shard->DocumentStart(d + 1) - shard->DocumentStart(d));
      ASSERT_TRUE(shard->Read(shard->DocumentStart(d), ids).ok());
      stream.insert(stream.end(), ids.begin(), ids.end());
    }
  }
  ASSERT_EQ(stream.size(), data->tokens());
  for (const int64_t length : {1, 16, 333}) {
    const DataSampler sampler = Make({{data, 1}}, length);
    PackedSequence sequence;
    for (uint64_t i = 0; i < 2 * sampler.EpochSequences(0); ++i) {
      ASSERT_TRUE(sampler.At(i, sequence).ok());
      ASSERT_EQ(sequence.tokens.size(), static_cast<size_t>(length));
      ASSERT_EQ(sequence.targets.size(), static_cast<size_t>(length));
      std::vector<int32_t> starts = {0};
      for (uint64_t j = 0; j < static_cast<uint64_t>(length); ++j) {
        const uint64_t at = sequence.begin + j;
        ASSERT_EQ(sequence.tokens[j], stream[at]);
        const bool last = begins.contains(at + 1) || at + 1 == stream.size();
        ASSERT_EQ(sequence.targets[j], last ? PackedSequence::kNoTarget : stream[at + 1]);
        if (j > 0 && begins.contains(at)) starts.push_back(static_cast<int32_t>(j));
      }
      ASSERT_EQ(sequence.starts, starts);
    }
  }
}

TEST_F(SamplerTest, EachEpochVisitsEachChunkOnceInANewOrder) {
  const auto data = Data("a", 1);
  const DataSampler sampler = Make({{data, 1}});
  const uint64_t chunks = sampler.EpochSequences(0);
  ASSERT_EQ(chunks, data->tokens() / 16);
  std::vector<uint64_t> before;
  std::set<uint64_t> offsets;
  PackedSequence sequence;
  for (uint64_t epoch = 0; epoch < 40; ++epoch) {
    std::vector<uint64_t> begins;
    for (uint64_t i = 0; i < chunks; ++i) {
      ASSERT_TRUE(sampler.At(epoch * chunks + i, sequence).ok());
      EXPECT_EQ(sequence.epoch, epoch);
      begins.push_back(sequence.begin);
    }
    const uint64_t first = *std::ranges::min_element(begins);
    offsets.insert(first);
    for (uint64_t& begin : begins) {
      EXPECT_EQ((begin - first) % 16, 0u);
      begin = (begin - first) / 16;
    }
    EXPECT_NE(begins, before);
    before = begins;
    std::ranges::sort(begins);
    for (uint64_t i = 0; i < chunks; ++i) ASSERT_EQ(begins[i], i);
  }
  // The tokens that do not fill a chunk are others each time.
  EXPECT_EQ(offsets.size() > 1, data->tokens() % 16 > 0);
}

TEST_F(SamplerTest, SharesAreExactInEveryWindow) {
  const std::vector<MixtureSource> sources = {
      {Data("a", 1), 0.7}, {Data("b", 2), 0.2}, {Data("c", 3), 0.1}};
  const DataSampler sampler = Make(sources);
  const std::vector<uint64_t> expected = {700, 200, 100};
  std::vector<uint64_t> numbers(3);  // sequences of each source so far
  PackedSequence sequence;
  std::vector<size_t> order;
  std::vector<size_t> before;
  for (uint64_t window = 0; window < 3; ++window) {
    std::vector<uint64_t> counts(3);
    for (uint64_t i = 0; i < DataSampler::kWindow; ++i) {
      ASSERT_TRUE(sampler.At(window * DataSampler::kWindow + i, sequence).ok());
      order.push_back(sequence.source);
      EXPECT_EQ(sequence.epoch,
                numbers[sequence.source]++ / sampler.EpochSequences(sequence.source));
      ++counts[sequence.source];
    }
    EXPECT_EQ(counts, expected);
    EXPECT_NE(order, before);
    before.swap(order);
    order.clear();
  }
  for (size_t s = 0; s < 3; ++s) EXPECT_EQ(sampler.Share(s), expected[s]);
}

TEST_F(SamplerTest, SharesAddUpForAnyWeights) {
  const auto data = Data("a", 1);
  const std::vector<std::vector<double>> mixtures = {
      {1, 1, 1}, {2, 3, 1e3}, {1e-3, 1}, {0.3, 0.3, 0.3, 0.1}};
  for (const std::vector<double>& weights : mixtures) {
    std::vector<MixtureSource> sources;
    for (const double weight : weights) sources.push_back({data, weight});
    const DataSampler sampler = Make(sources);
    uint64_t sum = 0;
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (size_t s = 0; s < weights.size(); ++s) {
      sum += sampler.Share(s);
      EXPECT_NEAR(static_cast<double>(sampler.Share(s)), weights[s] / total * 1000, 1);
    }
    EXPECT_EQ(sum, DataSampler::kWindow);
  }
}

TEST_F(SamplerTest, ResumesWithTheNextTokenFromEveryPosition) {
  const std::vector<MixtureSource> sources = {{Data("a", 1), 3}, {Data("b", 2), 1}};
  DataSampler whole = Make(sources);
  std::vector<PackedSequence> sequences;
  std::vector<std::string> positions;
  for (int i = 0; i < 1100; ++i) {
    positions.push_back(whole.SavePosition().dump());
    ASSERT_TRUE(whole.Next(sequences.emplace_back()).ok());
  }
  for (size_t i = 0; i < positions.size(); ++i) {
    EXPECT_LT(positions[i].size(), 300u);
    DataSampler resumed = Make(sources);
    const auto saved = ParseJson(positions[i], "saved");
    const Status status = resumed.RestorePosition(*saved, "saved");
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(resumed.position(), i);
    PackedSequence sequence;
    for (size_t j = i; j < std::min(i + 2, sequences.size()); ++j) {
      ASSERT_TRUE(resumed.Next(sequence).ok());
      ASSERT_EQ(sequence.tokens, sequences[j].tokens);
      ASSERT_EQ(sequence.targets, sequences[j].targets);
      ASSERT_EQ(sequence.starts, sequences[j].starts);
    }
  }
}

TEST_F(SamplerTest, SeedsDiffer) {
  const auto data = Data("a", 1);
  PackedSequence one;
  PackedSequence other;
  int equal = 0;
  for (uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(Make({{data, 1}}, 16, 1).At(i, one).ok());
    ASSERT_TRUE(Make({{data, 1}}, 16, 2).At(i, other).ok());
    equal += one.begin == other.begin ? 1 : 0;
  }
  EXPECT_LT(equal, 10);
}

TEST_F(SamplerTest, PositionsOfOtherDataAreRefused) {
  const auto a = Data("a", 1);
  const auto b = Data("b", 2);
  DataSampler sampler = Make({{a, 3}, {b, 1}});
  const Json saved = sampler.SavePosition();
  const auto error = [&](DataSampler other, Json position) {
    return other.RestorePosition(position, "saved").message();
  };
  EXPECT_EQ(error(Make({{a, 3}, {b, 1}}), saved), "");
  EXPECT_NE(error(Make({{b, 3}, {b, 1}}), saved).find("saved: sources[0].data: found"),
            std::string::npos);
  EXPECT_EQ(error(Make({{a, 1}, {b, 1}}), saved),
            "saved: sources[0].share: found 750, expected 500");
  EXPECT_EQ(error(Make({{a, 1}}), saved), "saved: sources: found 2, expected 1");
  EXPECT_EQ(error(Make({{a, 3}, {b, 1}}, 17), saved), "saved: length: found 16, expected 17");
  EXPECT_NE(error(Make({{a, 3}, {b, 1}}, 16, 8), saved).find("saved: seed: found"),
            std::string::npos);
  Json broken = saved;
  broken["sequence"] = -1;
  EXPECT_NE(error(Make({{a, 3}, {b, 1}}), broken).find("saved: sequence: found -1"),
            std::string::npos);
  broken = saved;
  broken.erase("sources");
  EXPECT_NE(error(Make({{a, 3}, {b, 1}}), broken).find("sources"), std::string::npos);
  EXPECT_FALSE(error(Make({{a, 3}, {b, 1}}), Json::array()).empty());
}

TEST_F(SamplerTest, RefusesMixtures) {
  const auto data = Data("a", 1);
  EXPECT_NE(Error({}, 16).find("sources: found 0"), std::string::npos);
  EXPECT_NE(Error({{data, 1}}, 0).find("length: found 0"), std::string::npos);
  EXPECT_NE(Error({{data, 1}}, 1 << 20).find("tokens, expected a sequence of 1048576"),
            std::string::npos);
  EXPECT_NE(Error({{data, 1}, {data, 0}}, 16).find("sources[1].weight: found 0"),
            std::string::npos);
  EXPECT_NE(Error({{data, 1}, {data, 1e-9}}, 16).find("expected at least 1/1000"),
            std::string::npos);
  const auto files =
      FindSources(std::vector<std::string>{dir_.Write("other.txt", "some other text")});
  ThreadPool pool(1);
  ASSERT_TRUE(BuildShards(*TestTokenizer({{"x", "y"}, {"c", "d"}}), *files, dir_.path() + "/other",
                          TestOptions(), pool)
                  .ok());
  EXPECT_NE(
      Error({{data, 1}, {OpenData(dir_.path() + "/other"), 1}}, 4).find("tokens of one tokenizer"),
      std::string::npos);
}

}  // namespace
}  // namespace ringlet
