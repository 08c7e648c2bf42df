// Quantizing whole checkpoints: what is chosen, what is written, and that it reads back exactly.
#include "model/quantize.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "io/test_files.h"
#include "model/checkpoint_source.h"
#include "model/packing.h"
#include "model/presets.h"
#include "model/quantize_plan.h"
#include "model/quantize_row.h"
#include "model/random_checkpoint.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

TEST(MatchesPatternTest, StarsAndQuestionMarks) {
  EXPECT_TRUE(MatchesPattern("lm_head", "lm_head"));
  EXPECT_FALSE(MatchesPattern("lm_head", "lm_head2"));
  EXPECT_FALSE(MatchesPattern("lm_head", "a.lm_head"));
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("*", "anything"));
  EXPECT_TRUE(MatchesPattern("*.down_proj", "model.layers.0.mlp.down_proj"));
  EXPECT_FALSE(MatchesPattern("*.down_proj", "model.layers.0.mlp.down_proj.weight"));
  EXPECT_TRUE(MatchesPattern("model.layers.?.*", "model.layers.3.mlp"));
  EXPECT_FALSE(MatchesPattern("model.layers.?.*", "model.layers.13.mlp"));
  EXPECT_TRUE(MatchesPattern("*a*b*c", "xaybzbc"));
  EXPECT_FALSE(MatchesPattern("*a*b*c", "xaybzb"));
  EXPECT_FALSE(MatchesPattern("", "x"));
  EXPECT_TRUE(MatchesPattern("", ""));
  EXPECT_FALSE(MatchesPattern("?", ""));
  // Backtracking that would take a naive matcher forever.
  EXPECT_FALSE(MatchesPattern("*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

class QuantizeCheckpointTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  Checkpoint New(const std::string& preset, DType dtype = DType::kBF16) const {
    const std::string path = Path(preset + std::string(Name(dtype)));
    if (!IsDirectory(path)) {
      const auto config = PresetJson(**FindPreset(preset));
      EXPECT_TRUE(WriteRandomCheckpoint(*config, "{}", path, {.dtype = dtype, .seed = 3}).ok());
    }
    return OpenCheckpoint(path).value();
  }

  Checkpoint Quantized(const Checkpoint& source, const std::string& name,
                       const QuantizeOptions& options) {
    const auto report = QuantizeCheckpoint(source, Path(name), context_, options);
    EXPECT_TRUE(report.ok()) << report.status().message();
    return OpenCheckpoint(Path(name)).value();
  }

  std::map<std::string, std::string> Files(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(Path(name))) {
      files[entry.path().filename().string()] = ReadFile(entry.path().string()).value();
    }
    return files;
  }

  TempDir directory_;
  Context context_{IsaChoice::Detect(), 2};
};

// What QuantizeInt4Row makes of a row, as numbers.
std::vector<float> Decided(const MatrixRef& matrix, int64_t row, int64_t group) {
  const auto cols = static_cast<size_t>(matrix.cols);
  std::vector<float> values(cols);
  matrix.DecodeRow(row, values.data());
  std::vector<int8_t> codes(cols);
  std::vector<bf16_t> scales(cols / static_cast<size_t>(group));
  QuantizeInt4Row(IsaChoice::Detect(), values, {}, group, codes.data(), scales.data());
  for (size_t i = 0; i < cols; ++i) {
    values[i] = static_cast<float>(codes[i]) * Bf16ToFloat(scales[i / static_cast<size_t>(group)]);
  }
  return values;
}

TEST_F(QuantizeCheckpointTest, KernelsMultiplyByWhatWasDecided) {
  const Checkpoint source = New("tiny-hybrid");
  const NamedWeights before = NameWeights(source.weights);
  for (const int64_t group : {16, 32, 64}) {
    const Checkpoint result = Quantized(source, fmt::format("g{}", group), {.group = group});
    const NamedWeights after = NameWeights(result.weights);
    for (const std::string name : {"layers.0.attention.qkv", "layers.2.experts.5.gate_up"}) {
      const MatrixRef& matrix = *after.matrices.at(name);
      const PackingPlan plan = PlanPacking(matrix, ComputeType::kBf16);
      EXPECT_EQ(plan.quant.scales, ScaleType::kInt8) << group;  // the fastest layout
      const PackedMatrix packed = PackWeights(context_, matrix, plan);
      std::vector<float> stored(static_cast<size_t>(matrix.cols));
      std::vector<float> multiplied(stored.size());
      for (const int64_t row : {int64_t{0}, int64_t{17}, matrix.rows - 1}) {
        const std::vector<float> decided = Decided(*before.matrices.at(name), row, group);
        matrix.DecodeRow(row, stored.data());
        UnpackRow(packed, row, multiplied.data());
        EXPECT_EQ(stored, decided) << name << " " << group;
        EXPECT_EQ(multiplied, decided) << name << " " << group;
      }
    }
    EXPECT_EQ(after.matrices.at("head")->dtype(), DType::kPackedI8);
    EXPECT_EQ(after.matrices.at("embedding")->dtype(), DType::kBF16);
    EXPECT_EQ(after.matrices.at("layers.2.router")->dtype(), DType::kBF16);
  }
}

TEST_F(QuantizeCheckpointTest, TiedEmbeddingsAndMtpLayers) {
  const Checkpoint tied = Quantized(New("tiny-llama", DType::kF32), "tied", {});
  const NamedWeights named = NameWeights(tied.weights);
  const bool is_tied = tied.config.tied_embeddings;
  EXPECT_EQ(named.matrices.at("head")->dtype(), DType::kPackedI8);
  EXPECT_EQ(named.matrices.at("embedding")->dtype(), is_tied ? DType::kPackedI8 : DType::kF32);
  EXPECT_EQ(named.matrices.at("layers.0.down")->dtype(), DType::kPackedI4);
  EXPECT_EQ(named.vectors.at("final_norm")->dtype, DType::kF32);
  const Checkpoint mtp = Quantized(New("tiny-ling"), "mtp", {.type = WeightType::kInt8});
  ASSERT_EQ(mtp.weights.mtp.size(), 1u);
  EXPECT_EQ(mtp.weights.mtp[0].projection.dtype(), DType::kPackedI8);
}

TEST_F(QuantizeCheckpointTest, Fp8AndBackAgain) {
  const Checkpoint source = New("tiny-hybrid");
  const Checkpoint fp8 = Quantized(source, "fp8", {.type = WeightType::kFp8});
  const MatrixRef& before = source.weights.layers[0].attention.out;
  const MatrixRef& after = fp8.weights.layers[0].attention.out;
  ASSERT_EQ(after.dtype(), DType::kF8E4M3);
  EXPECT_EQ(fp8.weights.head.dtype(), DType::kBF16);
  std::vector<float> expected(static_cast<size_t>(before.cols));
  std::vector<float> found(expected.size());
  before.DecodeRow(5, expected.data());
  after.DecodeRow(5, found.data());
  for (size_t i = 0; i < found.size(); ++i) {
    // Half a unit of a 3-bit mantissa, or of the smallest subnormal of the block.
    EXPECT_NEAR(found[i], expected[i], std::fabs(expected[i]) / 16 + 1e-5) << i;
  }
  // FP8 is a source too; what is not quantized becomes BF16.
  const Checkpoint int4 = Quantized(
      fp8, "int4", {.type = WeightType::kInt4, .keep = {{"*.dense", WeightType::kSource}}});
  EXPECT_EQ(int4.weights.layers[0].attention.out.dtype(), DType::kBF16);
  EXPECT_EQ(int4.weights.layers[0].attention.qkv.dtype(), DType::kPackedI4);
}

TEST_F(QuantizeCheckpointTest, KilledRunsContinueWithTheSameBytes) {
  const Checkpoint source = New("tiny-hybrid");
  const QuantizeOptions options = {.shard_bytes = 100'000};
  const auto whole = QuantizeCheckpoint(source, Path("whole"), context_, options);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  ASSERT_GT(whole->shards, 4);
  for (const double share : {0.3, 0.9}) {
    const pid_t child = ::fork();
    if (child == 0) {
      Context context(IsaChoice::Detect(), 1);
      QuantizeOptions deadly = options;
      deadly.progress = [share](uint64_t done, uint64_t total) {
        if (static_cast<double>(done) > share * static_cast<double>(total)) ::raise(SIGKILL);
        return true;
      };
      (void)QuantizeCheckpoint(source, Path("killed"), context, deadly);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_FALSE(FileExists(Path("killed/config.json")));
  }
  const auto resumed = QuantizeCheckpoint(source, Path("killed"), context_, options);
  ASSERT_TRUE(resumed.ok()) << resumed.status().message();
  EXPECT_GT(resumed->resumed_shards, 2);
  EXPECT_LT(resumed->resumed_shards, resumed->shards);
  EXPECT_EQ(Files("killed"), Files("whole"));
  ASSERT_EQ(resumed->tensors.size(), whole->tensors.size());
  for (size_t i = 0; i < whole->tensors.size(); ++i) {
    EXPECT_EQ(resumed->tensors[i].name, whole->tensors[i].name);
    EXPECT_EQ(resumed->tensors[i].squared_error, whole->tensors[i].squared_error);
  }
}

TEST_F(QuantizeCheckpointTest, StoppedRunsContinue) {
  const Checkpoint source = New("tiny-hybrid");
  QuantizeOptions options = {.shard_bytes = 100'000};
  int calls = 0;
  options.progress = [&](uint64_t, uint64_t) { return ++calls < 200; };
  const auto stopped = QuantizeCheckpoint(source, Path("out"), context_, options);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.status().code(), StatusCode::kCancelled);
  options.progress = {};
  options.keep = {{"lm_head", WeightType::kInt4}};
  const auto other = QuantizeCheckpoint(source, Path("out"), context_, options);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.status().message().find("--keep: found an interrupted run with []"),
            std::string::npos)
      << other.status().message();
  options.keep = {};
  const auto finished = QuantizeCheckpoint(source, Path("out"), context_, options);
  ASSERT_TRUE(finished.ok()) << finished.status().message();
  EXPECT_GT(finished->resumed_shards, 0);
}

TEST_F(QuantizeCheckpointTest, ImportanceLowersTheErrorThatMatters) {
  const Checkpoint source = New("tiny-hybrid");
  const std::string name = "layers.0.attention.qkv";
  const MatrixRef& before = *NameWeights(source.weights).matrices.at(name);
  ImportanceMap importance;
  std::vector<float>& weights = importance[name];
  for (int64_t i = 0; i < before.cols; ++i) weights.push_back(i % 5 == 0 ? 20.0f : 0.1f);
  const Checkpoint even = Quantized(source, "even", {});
  const Checkpoint weighted = Quantized(source, "weighted", {.importance = &importance});
  const auto errors = [&](const Checkpoint& result) {
    const MatrixRef& after = *NameWeights(result.weights).matrices.at(name);
    std::pair<double, double> sums;  // weighted, plain
    std::vector<float> x(weights.size());
    std::vector<float> y(weights.size());
    for (int64_t row = 0; row < before.rows; ++row) {
      before.DecodeRow(row, x.data());
      after.DecodeRow(row, y.data());
      for (size_t i = 0; i < x.size(); ++i) {
        const double square = (x[i] - y[i]) * (x[i] - y[i]);
        sums.first += weights[i] * square;
        sums.second += square;
      }
    }
    return sums;
  };
  EXPECT_LT(errors(weighted).first, 0.8 * errors(even).first);
  EXPECT_GT(errors(weighted).second, errors(even).second);
  // Matrices without importance are the same.
  EXPECT_EQ(
      0, std::memcmp(weighted.weights.layers[1].attention.out.segments[0].tensor->data.data(),
                     even.weights.layers[1].attention.out.segments[0].tensor->data.data(), 1000));
}

}  // namespace
}  // namespace ringlet
