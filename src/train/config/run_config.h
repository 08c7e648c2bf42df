// RunConfig: everything that decides what a training run does, from one TOML file.
//
// docs/training.md lists every key with its type, range and default; a test holds that list to the
// table that the parser reads. Paths are kept as written; they are relative to the file's
// directory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "train/config/toml.h"
#include "train/recompute.h"

namespace ringlet {

enum class Compute { kBf16, kF32 };
enum class ScheduleKind { kWsm, kWsd, kCosine };
enum class DecayShape { kLinear, kSqrt, kCosine };
enum class BalanceRule { kOff, kSign, kProportional };

// What is trained: a preset, a config.json or neither, changed by keys of config.json.
struct ModelSettings {
  std::string preset;
  std::string config;
  std::string weights;  // a directory; empty: random ones
  TomlValue set;        // a table; empty: nothing is changed
};

struct DataSettings {
  std::string path;   // a directory that `ringlet data` made
  double weight = 1;  // share of the tokens, relative to the other weights
};

// A part of the run with one sequence length.
struct StageSettings {
  int64_t steps = 0;  // 0, only of the last stage: the steps that are left
  int64_t sequence = 2048;
  double balance_rate = -1;  // negative: that of [balance]
};

struct OptimizerSettings {
  double lr = 3e-4;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
  double clip = 1.0;  // 0: gradients are not clipped
};

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::kWsm;
  int64_t warmup_steps = 0;
  int64_t decay_steps = 0;  // of wsd
  DecayShape decay = DecayShape::kLinear;
  double final_share = 0;  // of lr, where wsd and cosine end
};

// When a step is skipped: train/optim/spike_guard.h.
struct GuardSettings {
  int64_t window = 128;
  int64_t min_samples = 32;
  double factor = 8.0;  // 0: only steps that are not finite
  int64_t max_skips = 5;
};

struct BalanceSettings {
  BalanceRule rule = BalanceRule::kSign;
  double rate = 1e-3;
};

struct LossSettings {
  double z_loss = 0;
  double router_z_loss = 0;
  double mtp_weight = 0.1;
};

struct CheckpointSettings {
  int64_t every_steps = 500;
  double every_minutes = 15;  // 0: only by steps
  int64_t keep = 3;
  int64_t keep_every = 0;  // every step that this divides stays; 0: none
};

struct EvaluationSettings {
  int64_t every_steps = 500;  // 0: never
  int64_t tokens = 65536;
  std::string data;  // a directory; empty: the held-out part of each source
};

// The model that a run ends with: a mean of its last weights (train/optim/merge.h).
struct MergeSettings {
  int64_t count = 1;  // 1: the last weights themselves
  int64_t every_steps = 0;
  DecayShape shape = DecayShape::kLinear;
};

struct RunConfig {
  std::string name = "run";
  int64_t steps = 1000;
  int64_t seed = 0;
  int64_t batch_tokens = 32768;
  int64_t micro_batch_tokens = 8192;
  Compute compute = Compute::kBf16;
  Recompute recompute = Recompute::kNone;
  std::string tokenizer;

  ModelSettings model;
  std::vector<DataSettings> data;
  std::vector<StageSettings> stages = {StageSettings{}};
  OptimizerSettings optimizer;
  ScheduleSettings schedule;
  GuardSettings guard;
  BalanceSettings balance;
  LossSettings loss;
  CheckpointSettings checkpoint;
  EvaluationSettings evaluation;
  MergeSettings merge;

  std::string directory;  // of the file; empty: the current one

  // The stage of a step that counts from 1.
  const StageSettings& StageOf(int64_t step) const;
};

// Errors name the file, the line, the key, what was found and what was expected: syntax, unknown
// keys, wrong types, values out of range, settings that contradict each other.
Result<RunConfig> ParseRunConfig(std::string_view text, const std::string& source);
// The same for a file.
Result<RunConfig> ReadRunConfig(const std::string& path);

// Every setting in a fixed order, as TOML that parses to the same settings.
std::string CanonicalToml(const RunConfig& config);
// Of the settings that decide which weights come out: a run may be resumed with others for its
// name, checkpoints, evaluation, recomputation or merging (and with wsm for its steps), not with
// others for these.
uint64_t RunFingerprint(const RunConfig& config);

// The reference of docs/training.md: one table in Markdown for each TOML table.
std::string RunConfigReference();

// `path` as the file of the configuration means it.
std::string ConfigPath(const RunConfig& config, const std::string& path);

}  // namespace ringlet
