// Trainer: a training run in its directory.
//
//   DIR/log.jsonl             every step                    (train/log/run_log.h)
//   DIR/checkpoints/          where the run can go on       (train/store/checkpoint_store.h)
//   DIR/report.html           curves, drawn with every checkpoint
//   DIR/model/                what the run ends with: a Hugging Face directory
//
// A run that was killed goes on from its newest checkpoint and computes what it would have
// computed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "train/log/run_log.h"
#include "train/run/training_run.h"
#include "train/store/checkpoint_store.h"

namespace ringlet {

// The steps whose weights the run's end merges, ascending; the last is config.steps.
std::vector<int64_t> MergedSteps(const RunConfig& config);

struct TrainerOptions {
  double peak_ops = 0;    // of the machine, per second, for the log's share of it; 0: unknown
  std::string processor;  // for the log
};

class Trainer {
 public:
  // Makes the directory, or goes on with what is in it. Errors: those of TrainingRun::Create; a
  // checkpoint of other settings; another process in the directory; the operating system's.
  static Result<std::unique_ptr<Trainer>> Open(const RunConfig& config,
                                               const std::string& directory, Context& context,
                                               const TrainerOptions& options);

  const TrainingRun& run() const { return *run_; }
  // The checkpoint's step; 0: from the beginning.
  int64_t resumed_at() const { return resumed_at_; }
  // Checkpoints that were passed over because their bytes are not those that were written.
  const std::vector<DamagedCheckpoint>& damaged() const { return damaged_; }
  bool done() const { return run_->done(); }

  // One step; measures held-out loss and saves a checkpoint where they are due.
  Result<StepRecord> Step();
  // Saves where the run stands, unless that is saved already.
  Status Save();

  struct Outcome {
    std::string model;  // its directory
    int64_t merged = 1;
    std::optional<TrainingRun::HeldOut> heldout;  // of the model
  };
  // At the end of the run: merges, writes DIR/model and the report. The run cannot go on after it.
  Result<Outcome> Finish();

 private:
  using Clock = std::chrono::steady_clock;

  Trainer(std::string directory, const RunConfig& config, const TrainerOptions& options)
      : directory_(std::move(directory)),
        options_(options),
        merged_(MergedSteps(config)),
        saved_when_(Clock::now()) {}

  Status Resume(const RunConfig& config);
  Status LogStart(const Context& context);
  bool SaveIsDue() const;
  Status DrawReport() const;

  std::string directory_;
  TrainerOptions options_;
  std::vector<int64_t> merged_;  // steps
  std::unique_ptr<TrainingRun> run_;
  std::optional<CheckpointStore> store_;
  std::optional<RunLog> log_;
  std::vector<DamagedCheckpoint> damaged_;
  int64_t resumed_at_ = 0;
  int64_t saved_at_ = -1;  // step
  Clock::time_point saved_when_;
  double seconds_ = 0;  // of training
};

}  // namespace ringlet
