// The row contract as a property: whatever the steps, batches, threads, forks, rollbacks and
// save/restore, the logits of a row have the bytes that one token at a time on one thread gives.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/sanitizer.h"
#include "engine/engine.h"
#include "engine/session_file.h"
#include "model/checkpoint.h"
#include "model/packed.h"
#include "model/packed_file.h"
#include "model/presets.h"
#include "model/random_checkpoint.h"
#include "model/random_packed.h"

namespace ringlet {
namespace {

constexpr int kThreadStep = kSanitized ? 2 : 1;
constexpr int64_t kLength = 210;  // three chunk boundaries, and a tail

struct Case {
  const char* preset;
  DType dtype;
  ComputeType compute;
  KvType kv = KvType::kBf16;
  std::optional<PackedType> packed = {};  // instead of `dtype`
  // The weights do not fit memory, as far as the file is concerned: experts are read as they are
  // chosen. Compared with the same file held in memory.
  bool streamed = false;
};

std::string_view Name(PackedType type) {
  if (type == PackedType::kFp8) return "fp8";
  return type == PackedType::kInt4 ? "int4" : "int8";
}

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  std::string name = fmt::format("{}_{}_{}", info.param.preset, Name(info.param.dtype),
                                 info.param.compute == ComputeType::kF32 ? "f32" : "bf16");
  if (info.param.kv == KvType::kInt8) name += "_int8_kv";
  if (info.param.packed) name += fmt::format("_{}", Name(*info.param.packed));
  if (info.param.streamed) name += "_streamed";
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class ContractTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const Case& c = GetParam();
    directory_ =
        std::filesystem::temp_directory_path() / fmt::format("ringlet-contract-{}", ::getpid());
    const Result<const Preset*> preset = FindPreset(c.preset);
    ASSERT_TRUE(preset.ok()) << preset.status().message();
    const Result<OrderedJson> json = PresetJson(**preset);
    ASSERT_TRUE(json.ok()) << json.status().message();
    const Status written = Write(*json);
    ASSERT_TRUE(written.ok()) << written.message();
    model_ = LoadModel(false);
    Rng rng(11);
    for (std::vector<int32_t>& tokens : texts_) {
      for (int64_t i = 0; i < kLength; ++i) {
        tokens.push_back(
            static_cast<int32_t>(rng.Below(static_cast<uint64_t>(model_->config().vocab))));
      }
    }
    // Two texts that begin alike, as forks do.
    std::copy_n(texts_[0].begin(), kShared, texts_[1].begin());
    for (size_t t = 0; t < std::size(texts_); ++t) golden_[t] = OneByOne(texts_[t]);
    if (c.streamed) model_ = LoadModel(true);
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  Status Write(const OrderedJson& json) const {
    const Case& c = GetParam();
    const std::string path = directory_ / "model";
    if (!c.packed) {
      return WriteRandomCheckpoint(json, "", path, {.dtype = c.dtype, .seed = 7, .progress = {}});
    }
    Context context(IsaChoice::Detect(), 2);
    return WriteRandomPacked(json, "", path, context,
                             {.linear = *c.packed, .head = *c.packed, .seed = 7, .progress = {}});
  }

  std::shared_ptr<const Model> LoadModel(bool streamed) {
    Result<Checkpoint> checkpoint = OpenCheckpoint(directory_ / "model");
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    if (streamed) {
      auto file = std::dynamic_pointer_cast<const Safetensors>(checkpoint->tensors);
      constexpr uint64_t kMemory = 1;  // bytes
      checkpoint->packed = PackedFile::Open(std::move(file), kMemory).value();
    }
    Context context(IsaChoice::Detect(), 2);
    LoadOptions options;
    options.compute = GetParam().compute;
    options.kv = GetParam().kv;
    auto model = Model::Load(std::move(checkpoint).value(), context, options);
    EXPECT_TRUE(model.ok()) << model.status().message();
    for (const Block& block : (*model)->packed().blocks) {
      const auto* moe = std::get_if<Moe>(&block.feed_forward);
      if (moe == nullptr) continue;
      EXPECT_EQ(moe->read_ahead, streamed);
    }
    return std::move(model).value();
  }

  Engine MakeEngine(int threads, int64_t max_step_rows) const {
    return Engine(model_, std::make_shared<Context>(IsaChoice::Detect(), threads),
                  {.max_step_rows = max_step_rows});
  }

  using Rows = std::vector<std::vector<float>>;

  Rows OneByOne(const std::vector<int32_t>& tokens) const {
    Engine engine = MakeEngine(1, 1);
    Sequence sequence = engine.NewSequence();
    Rows rows;
    for (const int32_t token : tokens) {
      const Feed feed{.sequence = &sequence,
                      .tokens = std::span(&token, 1),
                      .rows = LogitRows::kLast,
                      .on_logits = [&](int64_t, std::span<const float> logits) {
                        rows.emplace_back(logits.begin(), logits.end());
                      }};
      EXPECT_TRUE(engine.Step(std::span(&feed, 1)).ok());
    }
    return rows;
  }

  // A feed of texts_[text][from, to) whose logits are compared with the golden bytes.
  Feed Checked(Sequence& sequence, size_t text, int64_t from, int64_t to) {
    return {.sequence = &sequence,
            .tokens = std::span(texts_[text])
                          .subspan(static_cast<size_t>(from), static_cast<size_t>(to - from)),
            .rows = LogitRows::kAll,
            .on_logits = [this, text, from](int64_t row, std::span<const float> logits) {
              ++checked_;
              const std::vector<float>& want = golden_[text][static_cast<size_t>(from + row)];
              EXPECT_EQ(std::memcmp(logits.data(), want.data(), logits.size_bytes()), 0)
                  << "text " << text << " row " << from + row;
            }};
  }

  void FeedAndCheck(Engine& engine, Sequence& sequence, size_t text, int64_t to) {
    const Feed feed = Checked(sequence, text, sequence.length(), to);
    ASSERT_TRUE(engine.Step(std::span(&feed, 1)).ok());
  }

  static constexpr int64_t kShared = 100;
  std::filesystem::path directory_;
  std::shared_ptr<const Model> model_;
  std::vector<int32_t> texts_[3];
  Rows golden_[3];
  int64_t checked_ = 0;
};

TEST_P(ContractTest, AnySplitOnAnyNumberOfThreads) {
  Rng rng(1);
  constexpr int kRounds = kSanitized ? 1 : 3;
  for (int threads = 1; threads <= 4; threads += kThreadStep) {
    for (int round = 0; round < kRounds; ++round) {
      Engine engine = MakeEngine(threads, 1 + static_cast<int64_t>(rng.Below(300)));
      Sequence sequence = engine.NewSequence();
      while (sequence.length() < kLength) {
        const int64_t left = kLength - sequence.length();
        const int64_t most = round == 0 ? left : std::min<int64_t>(left, 90);
        FeedAndCheck(
            engine, sequence, 0,
            sequence.length() + 1 + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most))));
      }
    }
  }
  EXPECT_EQ(checked_, 4 / kThreadStep * kRounds * kLength);
}

TEST_P(ContractTest, AnyBatch) {
  Rng rng(2);
  for (int threads = 1; threads <= 4; threads += kThreadStep) {
    Engine engine = MakeEngine(threads, 1 + static_cast<int64_t>(rng.Below(200)));
    constexpr size_t kSequences = 9;
    std::vector<Sequence> sequences;
    for (size_t s = 0; s < kSequences; ++s) sequences.push_back(engine.NewSequence());
    while (true) {
      std::vector<Feed> feeds;
      for (size_t s = 0; s < kSequences; ++s) {
        const int64_t left = kLength - sequences[s].length();
        if (left == 0 || rng.Below(3) == 0) continue;
        const int64_t most = std::min<int64_t>(left, 40);
        const int64_t from = sequences[s].length();
        const int64_t count = 1 + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most)));
        feeds.push_back(Checked(sequences[s], s % 3, from, from + count));
      }
      ASSERT_TRUE(engine.Step(feeds).ok());
      bool all = true;
      for (const Sequence& sequence : sequences) all = all && sequence.length() == kLength;
      if (all) break;
    }
  }
  EXPECT_EQ(checked_, 4 / kThreadStep * 9 * kLength);
}

TEST_P(ContractTest, ForksGoTheirOwnWays) {
  Rng rng(3);
  for (const int64_t at :
       {int64_t{1}, int64_t{40}, int64_t{63}, int64_t{64}, int64_t{65}, kShared}) {
    Engine engine = MakeEngine(2, 64);
    Sequence first = engine.NewSequence();
    FeedAndCheck(engine, first, 0, at);
    Sequence second = first.Fork();
    Sequence third = first.Fork();
    // Interleaved, in one batch and alone.
    while (first.length() < kLength || second.length() < kLength) {
      std::vector<Feed> feeds;
      const auto add = [&](Sequence& sequence, size_t text) {
        const int64_t left = kLength - sequence.length();
        if (left == 0) return;
        const auto count = static_cast<int64_t>(rng.Below(50));
        feeds.push_back(Checked(sequence, text, sequence.length(),
                                sequence.length() + std::min(left, count + 1)));
      };
      add(first, 0);
      add(second, 1);
      ASSERT_TRUE(engine.Step(feeds).ok());
    }
    FeedAndCheck(engine, third, 1, kLength);
  }
}

TEST_P(ContractTest, RollbackToAnyPosition) {
  Rng rng(4);
  Engine engine = MakeEngine(2, 128);
  Sequence sequence = engine.NewSequence();
  Sequence bystander = engine.NewSequence();
  size_t text = 0;
  for (int round = 0; round < (kSanitized ? 10 : 40); ++round) {
    const int64_t length = sequence.length();
    const auto to = static_cast<int64_t>(rng.Below(static_cast<uint64_t>(length + 1)));
    if (round % 7 == 3) bystander = sequence.Fork();
    ASSERT_TRUE(engine.Rollback(sequence, to).ok());
    ASSERT_EQ(sequence.length(), to);
    if (to <= kShared) text = rng.Below(2);
    if (to < kLength) {
      FeedAndCheck(engine, sequence, text,
                   to + 1 + static_cast<int64_t>(rng.Below(static_cast<uint64_t>(kLength - to))));
    }
    // What the fork remembers is untouched by the rollback of its source.
    const size_t own =
        bystander.length() > kShared && bystander.tokens()[kShared] == texts_[1][kShared] ? 1 : 0;
    if (round % 7 == 5 && bystander.length() < kLength) {
      FeedAndCheck(engine, bystander, own, kLength);
    }
  }
  EXPECT_GT(checked_, kLength);
  EXPECT_FALSE(engine.Rollback(sequence, sequence.length() + 1).ok());
  EXPECT_FALSE(engine.Rollback(sequence, -1).ok());
}

TEST_P(ContractTest, SaveAndRestoreInAnotherProcess) {
  const std::string path = directory_ / "session";
  for (const int64_t at : {int64_t{0}, int64_t{5}, int64_t{64}, int64_t{127}, int64_t{150}}) {
    {
      Engine engine = MakeEngine(2, 32);
      Sequence sequence = engine.NewSequence();
      FeedAndCheck(engine, sequence, 2, at);
      ASSERT_TRUE(SaveSession(engine, sequence, path).ok());
    }
    model_ = LoadModel(GetParam().streamed);  // as a new process would
    Engine engine = MakeEngine(3, 512);
    Result<Sequence> restored = RestoreSession(engine, path);
    ASSERT_TRUE(restored.ok()) << restored.status().message();
    ASSERT_EQ(restored->length(), at);
    FeedAndCheck(engine, *restored, 2, kLength);
    ASSERT_TRUE(engine.Rollback(*restored, at / 2).ok());
    FeedAndCheck(engine, *restored, 2, kLength);
  }
}

TEST_P(ContractTest, DamagedSessionsAreRefused) {
  const std::string path = directory_ / "session";
  Engine engine = MakeEngine(2, 512);
  Sequence sequence = engine.NewSequence();
  FeedAndCheck(engine, sequence, 0, 70);
  ASSERT_TRUE(SaveSession(engine, sequence, path).ok());
  const std::string good = ReadFile(path).value();
  Rng rng(5);
  for (int round = 0; round < (kSanitized ? 15 : 60); ++round) {
    std::string bad = good;
    const size_t at = rng.Below(bad.size());
    if (round % 3 == 0) {
      bad.resize(at);
    } else {
      bad[at] = static_cast<char>(bad[at] ^ (1 << rng.Below(8)));
    }
    ASSERT_TRUE(WriteFile(path, bad).ok());
    const Result<Sequence> restored = RestoreSession(engine, path);
    ASSERT_FALSE(restored.ok()) << "byte " << at;
    EXPECT_NE(restored.status().message().find(path), std::string::npos);
  }
  EXPECT_EQ(RestoreSession(engine, path + ".none").status().code(), StatusCode::kNotFound);
}

TEST_P(ContractTest, BadTokensChangeNothing) {
  Engine engine = MakeEngine(1, 512);
  Sequence sequence = engine.NewSequence();
  FeedAndCheck(engine, sequence, 0, 10);
  const std::vector<int32_t> bad = {1, static_cast<int32_t>(model_->config().vocab), 2};
  const Feed feed{.sequence = &sequence, .tokens = bad, .rows = LogitRows::kLast, .on_logits = {}};
  const Status status = engine.Step(std::span(&feed, 1));
  EXPECT_EQ(status.code(), StatusCode::kInvalidInput);
  EXPECT_NE(status.message().find("[1]"), std::string::npos) << status.message();
  EXPECT_EQ(sequence.length(), 10);
  FeedAndCheck(engine, sequence, 0, 20);
}

INSTANTIATE_TEST_SUITE_P(
    Models, ContractTest,
    testing::Values(
        Case{"tiny-hybrid", DType::kBF16, ComputeType::kBf16},
        Case{"tiny-hybrid", DType::kF32, ComputeType::kF32},
        Case{"tiny-hybrid", DType::kF32, ComputeType::kBf16},
        Case{"tiny-ling", DType::kBF16, ComputeType::kBf16},
        Case{"tiny-hybrid", DType::kBF16, ComputeType::kBf16, KvType::kInt8},
        Case{"tiny-ling", DType::kBF16, ComputeType::kBf16, KvType::kInt8},
        Case{"tiny-llama", DType::kBF16, ComputeType::kF32},
        Case{"tiny-hybrid", DType::kBF16, ComputeType::kBf16, KvType::kInt8, PackedType::kInt4},
        Case{"tiny-ling", DType::kBF16, ComputeType::kBf16, KvType::kBf16, PackedType::kInt8},
        Case{"tiny-hybrid", DType::kBF16, ComputeType::kBf16, KvType::kBf16, PackedType::kFp8},
        Case{"tiny-hybrid", DType::kBF16, ComputeType::kBf16, KvType::kBf16, PackedType::kInt4,
             true},
        Case{"tiny-ling", DType::kBF16, ComputeType::kBf16, KvType::kInt8, PackedType::kInt8,
             true}),
    CaseName);

}  // namespace
}  // namespace ringlet
