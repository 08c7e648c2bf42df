#include "train/data/shard.h"

#include <cstring>

#include <gtest/gtest.h>

#include "base/file.h"
#include "io/test_files.h"
#include "train/data/manifest.h"

namespace ringlet {
namespace {

constexpr uint64_t kVocabulary = 0x1234;

// Documents of 3, 1 and 5 tokens.
std::string SmallShard(const TempDir& dir, uint64_t vocab = 300) {
  ShardBuffer buffer(vocab, kVocabulary);
  buffer.Append(std::vector<int32_t>{1, 2, 299}, 7);
  buffer.Append({}, 0);
  buffer.Append(std::vector<int32_t>{4}, 2);
  buffer.Append(std::vector<int32_t>{5, 6, 7, 8, 9}, 11);
  const std::string path = dir.path() + "/small.shard";
  const auto header = buffer.Write(path);
  EXPECT_TRUE(header.ok()) << header.status().message();
  EXPECT_EQ(buffer.documents(), 0u);
  return *ReadFile(path);
}

// From a heap block of exactly the size, so that sanitizers see every byte beyond it.
Result<std::shared_ptr<const Shard>> Parse(const std::string& bytes) {
  auto copy = std::make_shared<std::vector<std::byte>>(bytes.size());
  if (!bytes.empty()) std::memcpy(copy->data(), bytes.data(), bytes.size());
  return Shard::Parse(*copy, "damaged", copy);
}

TEST(Shard, KeepsTokensAndDocuments) {
  const TempDir dir;
  for (const uint64_t vocab : {300u, 70000u}) {
    const auto shard = Parse(SmallShard(dir, vocab));
    ASSERT_TRUE(shard.ok()) << shard.status().message();
    const ShardHeader& header = (*shard)->header();
    EXPECT_EQ(header.token_bytes, vocab == 300 ? 2u : 4u);
    EXPECT_EQ(header.tokens, 9u);
    EXPECT_EQ(header.documents, 3u);
    EXPECT_EQ(header.text_bytes, 20u);
    EXPECT_EQ(header.vocab_size, vocab);
    EXPECT_EQ(header.vocabulary, kVocabulary);
    std::vector<int32_t> ids(9);
    ASSERT_TRUE((*shard)->Read(0, ids).ok());
    EXPECT_EQ(ids, (std::vector<int32_t>{1, 2, 299, 4, 5, 6, 7, 8, 9}));
    ids.resize(2);
    ASSERT_TRUE((*shard)->Read(2, ids).ok());
    EXPECT_EQ(ids, (std::vector<int32_t>{299, 4}));
    const uint64_t starts[] = {0, 3, 4, 9};
    for (uint64_t d = 0; d <= 3; ++d) EXPECT_EQ((*shard)->DocumentStart(d), starts[d]);
    const uint64_t from[] = {0, 1, 1, 1, 2, 3, 3, 3, 3, 3};
    for (uint64_t t = 0; t < 10; ++t) EXPECT_EQ((*shard)->FirstDocumentFrom(t), from[t]) << t;
    EXPECT_TRUE((*shard)->Verify().ok());
  }
}

TEST(Shard, EveryTruncationIsRefused) {
  const TempDir dir;
  const std::string valid = SmallShard(dir);
  for (size_t size = 0; size < valid.size(); ++size) {
    EXPECT_FALSE(Parse(valid.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(Parse(valid + '\0').ok());
}

TEST(Shard, EveryBitFlipIsFound) {
  const TempDir dir;
  const std::string valid = SmallShard(dir);
  for (size_t bit = 0; bit < valid.size() * 8; ++bit) {
    std::string damaged = valid;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto shard = Parse(damaged);
    const Status status = shard.ok() ? (*shard)->Verify() : shard.status();
    EXPECT_FALSE(status.ok()) << "bit " << bit;
    EXPECT_EQ(status.message().substr(0, 9), "damaged: ");
  }
}

TEST(Shard, NamesWhatIsWrong) {
  const TempDir dir;
  const std::string valid = SmallShard(dir);
  EXPECT_EQ(Parse("RING").status().message(),
            "damaged: size: found 4 bytes, expected a header of 128");
  std::string other = valid;
  other.replace(0, 4, "GGUF");
  EXPECT_EQ(Parse(other).status().message(),
            "damaged: magic: found \"GGUFDATA\", expected \"RINGDATA\"");
  other = valid;
  other[8] = 2;
  EXPECT_EQ(Parse(other).status().code(), StatusCode::kUnsupported);
  other = valid;
  other[16] ^= 1;
  EXPECT_NE(Parse(other).status().message().find("header: found checksum"), std::string::npos);
  other = valid;
  other[128] ^= 1;
  const auto shard = Parse(other);
  ASSERT_TRUE(shard.ok());
  EXPECT_NE((*shard)->Verify().message().find("tokens: found checksum"), std::string::npos);
  // An id beyond the vocabulary is found where it is read.
  other = valid;
  other[129] = 0x7f;
  std::vector<int32_t> ids(1);
  const auto beyond = Parse(other);
  EXPECT_NE((*beyond)->Read(0, ids).message().find("id 32513, expected ids below 300"),
            std::string::npos);
}

DataManifest SmallManifest() {
  DataManifest manifest;
  manifest.run = "run";
  manifest.vocab_size = 300;
  manifest.vocabulary = 0xfedcba9876543210;
  manifest.end_id = 7;
  manifest.empty_documents = 1;
  manifest.skipped_documents = 2;
  manifest.splits[0].push_back({ShardName(Split::kTrain, 0), 1, 2, 3, 0xabc});
  manifest.resume = {{{1, 2}, {3, 4}}};
  return manifest;
}

TEST(Manifest, RoundTrip) {
  const DataManifest manifest = SmallManifest();
  const auto again = ParseManifest(ManifestText(manifest), "m");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(ManifestText(*again), ManifestText(manifest));
  EXPECT_EQ(again->Of(Split::kTrain)[0].tokens_hash, 0xabcu);
  EXPECT_EQ((*again->resume)[1], (DocumentPosition{3, 4}));
}

TEST(Manifest, NamesWhatIsWrong) {
  const auto damaged = [](std::string_view from, std::string_view to) {
    std::string text = ManifestText(SmallManifest());
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    return ParseManifest(text, "m").status().message();
  };
  EXPECT_EQ(damaged("train-00000.shard", "../x.shard"),
            "m: splits.train[0].file: found \"../x.shard\", expected \"train-00000.shard\"");
  EXPECT_NE(damaged("fedcba98", "fedcbA98").find("vocabulary: found"), std::string::npos);
  EXPECT_NE(damaged("\"version\": 1", "\"version\": 2").find("version"), std::string::npos);
  EXPECT_NE(damaged("\"end_id\": 7", "\"end_id\": 300").find("end_id"), std::string::npos);
  EXPECT_NE(damaged("\"run\"", "\"rum\"").find("rum"), std::string::npos);
}

}  // namespace
}  // namespace ringlet
