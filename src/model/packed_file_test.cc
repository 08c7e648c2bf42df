#include "model/packed_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "model/build.h"
#include "model/checkpoint_source.h"
#include "model/model.h"
#include "model/packed.h"
#include "model/presets.h"
#include "model/random_checkpoint.h"
#include "model/random_packed.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

class PackedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        fs::path(testing::TempDir()) /
        ("packed_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }

  std::string NewCheckpoint(const std::string& preset) const {
    const auto config = PresetJson(**FindPreset(preset));
    EXPECT_TRUE(
        WriteRandomCheckpoint(*config, "", Path(preset), RandomCheckpointOptions{.seed = 3}).ok());
    return Path(preset);
  }

  std::string NewPacked(const std::string& preset, PackedType type) {
    const auto config = PresetJson(**FindPreset(preset));
    EXPECT_TRUE(WriteRandomPacked(*config, "", Path("packed"), context_, {.linear = type}).ok());
    return Path("packed");
  }

  Result<std::shared_ptr<const Model>> Load(const std::string& path, LoadOptions options = {}) {
    RINGLET_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(path));
    return Model::Load(std::move(checkpoint), context_, options);
  }

  size_t CachedFiles() const {
    const fs::directory_iterator files(root_ / "cache");
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }

  fs::path root_;
  Context context_{IsaChoice::Detect(), 2};
};

bool SameBytes(const PackedMatrix& a, const PackedMatrix& b) {
  return a.format == b.format && a.n == b.n && a.k == b.k && a.data.size() == b.data.size() &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
}

void ExpectSameWeights(const PackedModel& a, const PackedModel& b) {
  EXPECT_TRUE(SameBytes(a.head, b.head));
  EXPECT_EQ(a.final_norm, b.final_norm);
  std::vector<float> row_a(static_cast<size_t>(a.embedding.rows.cols));
  std::vector<float> row_b(row_a.size());
  a.embedding.rows.DecodeRow(7, row_a.data());
  b.embedding.rows.DecodeRow(7, row_b.data());
  EXPECT_EQ(row_a, row_b);
  ASSERT_EQ(a.blocks.size(), b.blocks.size());
  ASSERT_EQ(a.mtp.size(), b.mtp.size());
  for (size_t i = 0; i < a.blocks.size(); ++i) {
    EXPECT_EQ(a.blocks[i].input_norm, b.blocks[i].input_norm);
    std::visit(
        [&](const auto& mixer) {
          const auto& other = std::get<std::decay_t<decltype(mixer)>>(b.blocks[i].mixer);
          EXPECT_TRUE(SameBytes(mixer.qkv, other.qkv));
          EXPECT_EQ(mixer.q_norm, other.q_norm);
        },
        a.blocks[i].mixer);
    const Moe* moe = std::get_if<Moe>(&a.blocks[i].feed_forward);
    if (moe == nullptr) continue;
    const Moe& other = std::get<Moe>(b.blocks[i].feed_forward);
    EXPECT_TRUE(SameBytes(moe->router, other.router));
    EXPECT_EQ(moe->expert_bias, other.expert_bias);
    for (size_t e = 0; e < moe->experts.size(); ++e) {
      EXPECT_TRUE(SameBytes(moe->experts[e].gate_up, other.experts[e].gate_up));
      EXPECT_TRUE(SameBytes(moe->experts[e].down, other.experts[e].down));
    }
  }
}

TEST_F(PackedFileTest, CacheHoldsWhatPackingGives) {
  for (const char* preset : {"tiny-hybrid", "tiny-ling", "tiny-qwen3"}) {
    const std::string path = NewCheckpoint(preset);
    const auto packed = Load(path);
    ASSERT_TRUE(packed.ok()) << packed.status().message();
    LoadOptions options;
    options.cache_directory = Path(std::string("cache-") + preset);
    options.cache_from_bytes = 0;
    for (int run = 0; run < 2; ++run) {  // written, then found
      const auto cached = Load(path, options);
      ASSERT_TRUE(cached.ok()) << cached.status().message();
      ExpectSameWeights((*packed)->packed(), (*cached)->packed());
    }
  }
}

// Experts stay in the file; what every token reads is copied; the weights are the same.
TEST_F(PackedFileTest, ModelsLargerThanMemoryStreamTheirExperts) {
  const auto file =
      Safetensors::Open(NewPacked("tiny-hybrid", PackedType::kInt4) + "/model.safetensors");
  ASSERT_TRUE(file.ok()) << file.status().message();
  const auto checkpoint = OpenCheckpoint(Path("packed"));
  ASSERT_TRUE(checkpoint.ok());
  std::vector<PackedModel> models;
  for (const uint64_t memory : {uint64_t{1} << 40, uint64_t{1}}) {
    auto packed = PackedFile::Open(*file, memory);
    ASSERT_TRUE(packed.ok()) << packed.status().message();
    EXPECT_EQ((*packed)->StreamsExperts(), memory == 1);
    models.push_back(BuildPackedModel(checkpoint->config, KvType::kBf16, **packed));
    ASSERT_TRUE((*packed)->status().ok()) << (*packed)->status().message();
  }
  ExpectSameWeights(models[0], models[1]);
  EXPECT_NE(models[0].head.data.data(), models[1].head.data.data());
  const Moe& mapped = std::get<Moe>(models[0].blocks.back().feed_forward);
  const Moe& streamed = std::get<Moe>(models[1].blocks.back().feed_forward);
  EXPECT_FALSE(mapped.read_ahead);
  EXPECT_TRUE(streamed.read_ahead);
  EXPECT_EQ(mapped.experts[0].down.data.data(), streamed.experts[0].down.data.data());
}

TEST_F(PackedFileTest, CacheFollowsTheFiles) {
  const std::string path = NewCheckpoint("tiny-qwen3");
  LoadOptions options;
  options.cache_directory = Path("cache");
  options.cache_from_bytes = 0;
  ASSERT_TRUE(Load(path, options).ok());
  ASSERT_EQ(CachedFiles(), 1u);
  const fs::path first = fs::directory_iterator(root_ / "cache")->path();
  fs::last_write_time(path + "/model.safetensors",
                      fs::file_time_type::clock::now() + std::chrono::hours(1));
  ASSERT_TRUE(Load(path, options).ok());
  EXPECT_EQ(CachedFiles(), 1u);
  EXPECT_NE(fs::directory_iterator(root_ / "cache")->path(), first);
}

TEST_F(PackedFileTest, SmallModelsAndFp32AreNotCached) {
  const std::string path = NewCheckpoint("tiny-qwen3");
  LoadOptions options;
  options.cache_directory = Path("cache");
  ASSERT_TRUE(Load(path, options).ok());
  options.cache_from_bytes = 0;
  options.compute = ComputeType::kF32;
  ASSERT_TRUE(Load(path, options).ok());
  EXPECT_FALSE(fs::exists(root_ / "cache"));
}

TEST_F(PackedFileTest, CancelledWritingLeavesNothing) {
  const std::string path = NewCheckpoint("tiny-qwen3");
  LoadOptions options;
  options.cache_directory = Path("cache");
  options.cache_from_bytes = 0;
  options.progress = [](uint64_t, uint64_t) { return false; };
  EXPECT_EQ(Load(path, options).status().code(), StatusCode::kCancelled);
  EXPECT_EQ(CachedFiles(), 0u);
}

TEST_F(PackedFileTest, RandomPackedModelsLoadAndAreReproducible) {
  for (const PackedType type : {PackedType::kInt4, PackedType::kInt8, PackedType::kFp8}) {
    fs::remove_all(Path("packed"));
    const std::string path = NewPacked("tiny-hybrid", type);
    const auto model = Load(path);
    ASSERT_TRUE(model.ok()) << model.status().message();
    const auto& mixer = std::get<LightningMixer>((*model)->packed().blocks[0].mixer);
    const bool fp8 = type == PackedType::kFp8;
    EXPECT_EQ(mixer.qkv.format, fp8 ? PackedFormat::kFp8 : PackedFormat::kQuant);
    if (!fp8) {
      EXPECT_EQ(mixer.qkv.quant.bits, type == PackedType::kInt4 ? 4 : 8);
    }
    EXPECT_EQ((*model)->packed().head.quant.bits, 8);
    fs::rename(path, Path("first"));
    NewPacked("tiny-hybrid", type);
    const auto again = Load(Path("packed"));
    ASSERT_TRUE(again.ok());
    ExpectSameWeights((*model)->packed(), (*again)->packed());
    fs::remove_all(Path("first"));
  }
}

TEST_F(PackedFileTest, PackedWeightsCannotBeWidened) {
  LoadOptions options;
  options.compute = ComputeType::kF32;
  const auto model = Load(NewPacked("tiny-qwen3", PackedType::kInt4), options);
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.status().message().find("f32 for weights that are packed already"),
            std::string::npos);
}

// Writes a packed file of these tensors beside the configuration of tiny-qwen3.
Status WriteTensors(const std::string& directory, const std::string& version,
                    const std::vector<SafetensorsEntry>& entries) {
  auto writer = SafetensorsWriter::Create(directory + "/model.safetensors", entries,
                                          {{"format", "ringlet-packed"}, {"version", version}});
  RINGLET_RETURN_IF_ERROR(writer.status());
  for (const SafetensorsEntry& entry : entries) {
    int64_t bytes = Traits(entry.dtype).block_bytes;
    for (const int64_t size : entry.shape) bytes *= size;
    const std::vector<std::byte> zeros(static_cast<size_t>(bytes));
    RINGLET_RETURN_IF_ERROR(writer->Append(zeros));
  }
  return writer->Finish();
}

TEST_F(PackedFileTest, DamagedFilesAreNamed) {
  struct Case {
    const char* version;
    SafetensorsEntry embedding;
    const char* message;
  };
  const std::string path = NewPacked("tiny-qwen3", PackedType::kInt4);
  const ModelConfig config = *ReadModelConfig(path);
  const int64_t vocab = config.vocab;
  const int64_t hidden = config.hidden;
  const Case cases[] = {
      {"2", {"embedding:BF16", DType::kU8, {vocab, 2 * hidden}}, "__metadata__: version"},
      {"1", {"other", DType::kF32, {1}}, "embedding: found no such weight"},
      {"1", {"embedding:BF17", DType::kU8, {vocab, 2 * hidden}}, "of \"BF17\""},
      {"1", {"embedding:BF16", DType::kU8, {vocab, hidden}}, "expected U8 rows of"},
      {"1", {"embedding", DType::kU8, {vocab, hidden}}, "expected U8 rows of"},
      {"1", {"embedding:BF16", DType::kBF16, {vocab, 2 * hidden}}, "expected U8 rows of"},
      {"1", {"embedding:BF16", DType::kU8, {vocab, 2 * hidden}}, "found no such weight"},
  };
  for (const Case& c : cases) {
    ASSERT_TRUE(WriteTensors(path, c.version, {c.embedding}).ok());
    const auto model = Load(path);
    ASSERT_FALSE(model.ok()) << c.message;
    EXPECT_NE(model.status().message().find(c.message), std::string::npos)
        << model.status().message();
  }
}

TEST_F(PackedFileTest, MatricesOfAnotherShapeOrLayoutAreNamed) {
  const std::string path = Path("matrix");
  fs::create_directories(path);
  const auto load = [&](const SafetensorsEntry& entry) {
    EXPECT_TRUE(WriteTensors(path, "1", {entry}).ok());
    auto file = Safetensors::Open(path + "/model.safetensors");
    auto packed = PackedFile::Open(*file);
    (*packed)->Matrix({.name = "head", .n = 64, .k = 32});
    return (*packed)->status();
  };
  EXPECT_TRUE(load({"head:bf16", DType::kU8, {1, 32 * 128}}).ok());
  EXPECT_TRUE(load({"head:q4-g16-z8-int8", DType::kU8, {1, 1152 + 256}}).ok());
  for (const SafetensorsEntry& entry :
       std::vector<SafetensorsEntry>{{"head:bf16", DType::kU8, {1, 32 * 64}},
                                     {"head:bf16", DType::kU8, {2, 32 * 128}},
                                     {"head:q4-g16-z9-int8", DType::kU8, {1, 1152 + 256}},
                                     {"head:q4-g64-z8-f16", DType::kU8, {1, 1152 + 256}},
                                     {"head:bf16", DType::kBF16, {1, 32 * 128}}}) {
    const Status status = load(entry);
    EXPECT_EQ(status.code(), StatusCode::kInvalidInput) << entry.name;
    EXPECT_NE(status.message().find("head"), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace ringlet
