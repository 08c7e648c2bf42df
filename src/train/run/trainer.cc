#include "train/run/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/memory.h"
#include "train/optim/expert_balance.h"
#include "train/optim/merge.h"
#include "train/report/report.h"
#include "train/run/hf_export.h"
#include "train/run/model_card.h"

namespace ringlet {
namespace {

std::string_view SkipReason(StepVerdict verdict) {
  return verdict == StepVerdict::kTake ? std::string_view() : Name(verdict);
}

StepRecord RecordOf(const StepOutcome& outcome) {
  StepRecord record;
  record.step = outcome.step;
  record.loss = outcome.loss;
  record.mtp_loss = outcome.mtp_loss;
  record.lr = outcome.lr;
  record.grad_norm = outcome.grad_norm;
  record.skipped = SkipReason(outcome.verdict);
  for (const std::vector<int64_t>& counts : outcome.load) {
    const LoadStats stats = MeasureLoad(counts);
    record.load_cv.push_back(stats.cv);
    record.load_max.push_back(stats.max_over_mean);
  }
  return record;
}

// The run's own tokenizer, or that of the weights it began with; empty: none.
std::string TokenizerPath(const RunConfig& config) {
  if (!config.tokenizer.empty()) return ConfigPath(config, config.tokenizer);
  if (config.model.weights.empty()) return "";
  std::string directory = ConfigPath(config, config.model.weights);
  return FileExists(directory + "/tokenizer.json") ? directory : std::string();
}

}  // namespace

std::vector<int64_t> MergedSteps(const RunConfig& config) {
  std::vector<int64_t> steps;
  for (int64_t j = config.merge.count; j-- > 0;) {
    const int64_t step = config.steps - j * config.merge.every_steps;
    if (step > 0) steps.push_back(step);
  }
  return steps;
}

Result<std::unique_ptr<Trainer>> Trainer::Open(const RunConfig& config,
                                               const std::string& directory, Context& context,
                                               const TrainerOptions& options) {
  std::unique_ptr<Trainer> trainer(new Trainer(directory, config, options));
  RINGLET_ASSIGN_OR_RETURN(trainer->run_, TrainingRun::Create(config, context));
  RINGLET_RETURN_IF_ERROR(MakeDirectories(directory));
  RINGLET_RETURN_IF_ERROR(trainer->Resume(config));
  RINGLET_RETURN_IF_ERROR(trainer->LogStart(context));
  return trainer;
}

Status Trainer::Resume(const RunConfig& config) {
  RetentionRule rule{
      .keep = config.checkpoint.keep, .keep_every = config.checkpoint.keep_every, .steps = merged_};
  RINGLET_ASSIGN_OR_RETURN(CheckpointStore store,
                           CheckpointStore::Open(directory_ + "/checkpoints", rule));
  store_.emplace(std::move(store));
  RINGLET_ASSIGN_OR_RETURN(const auto newest, store_->LoadNewest(&damaged_));
  if (newest) {
    RINGLET_RETURN_IF_ERROR(run_->Restore(*newest));
    resumed_at_ = saved_at_ = newest->step();
  }
  const std::string log = directory_ + "/log.jsonl";
  RINGLET_ASSIGN_OR_RETURN(RunLog opened, RunLog::Open(log, resumed_at_));
  log_.emplace(std::move(opened));
  RINGLET_ASSIGN_OR_RETURN(const RunHistory history, ReadRunLog(log));
  if (!history.steps.empty()) seconds_ = history.steps.back().seconds;
  return Status::Ok();
}

Status Trainer::LogStart(const Context& context) {
  const RunConfig& config = run_->config();
  return log_->Append(StartRecord{
      .step = resumed_at_,
      .name = config.name,
      .model = run_->Describe(),
      .parameters = static_cast<uint64_t>(run_->parameter_count()),
      .total_steps = config.steps,
      .threads = context.pool.threads(),
      .processor = options_.processor,
      .config = fmt::format("{:016x}", RunFingerprint(config)),
  });
}

Result<StepRecord> Trainer::Step() {
  const Clock::time_point begin = Clock::now();
  RINGLET_ASSIGN_OR_RETURN(const StepOutcome outcome, run_->Step());
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  seconds_ += seconds;
  StepRecord record = RecordOf(outcome);
  record.tokens = run_->tokens();
  record.seconds = seconds_;
  record.tokens_per_second = static_cast<double>(outcome.tokens) / seconds;
  if (options_.peak_ops > 0) record.peak_share = outcome.ops / seconds / options_.peak_ops;
  record.memory_bytes = PeakResidentBytes();
  const EvaluationSettings& evaluation = run_->config().evaluation;
  if (evaluation.every_steps > 0 && (outcome.step % evaluation.every_steps == 0 || done())) {
    RINGLET_ASSIGN_OR_RETURN(const auto heldout, run_->Evaluate());
    if (heldout) record.heldout_loss = heldout->loss;
  }
  RINGLET_RETURN_IF_ERROR(log_->Append(record));
  if (SaveIsDue()) RINGLET_RETURN_IF_ERROR(Save());
  return record;
}

bool Trainer::SaveIsDue() const {
  const CheckpointSettings& settings = run_->config().checkpoint;
  const int64_t step = run_->step();
  if (done() || step % settings.every_steps == 0) return true;
  if (std::ranges::binary_search(merged_, step)) return true;
  const double minutes = std::chrono::duration<double>(Clock::now() - saved_when_).count() / 60.0;
  return settings.every_minutes > 0 && minutes >= settings.every_minutes;
}

Status Trainer::Save() {
  if (saved_at_ == run_->step()) return Status::Ok();
  // First the log: it may know more steps than the checkpoints, never fewer.
  RINGLET_RETURN_IF_ERROR(log_->Sync());
  RINGLET_RETURN_IF_ERROR(store_->Save(run_->Save()));
  saved_at_ = run_->step();
  saved_when_ = Clock::now();
  return DrawReport();
}

Status Trainer::DrawReport() const {
  RINGLET_ASSIGN_OR_RETURN(const RunHistory history, ReadRunLog(directory_ + "/log.jsonl"));
  return WriteFile(directory_ + "/report.html", RenderReport(history));
}

Result<Trainer::Outcome> Trainer::Finish() {
  RINGLET_CHECK(done(), "the run has steps left");
  Outcome outcome;
  const RunConfig& config = run_->config();
  std::vector<StoredCheckpoint> merged;
  for (const int64_t step : merged_) {
    RINGLET_ASSIGN_OR_RETURN(StoredCheckpoint checkpoint, store_->Load(step));
    merged.push_back(std::move(checkpoint));
  }
  outcome.merged = static_cast<int64_t>(merged.size());
  if (merged.size() > 1) RINGLET_RETURN_IF_ERROR(run_->Merge(merged));
  RINGLET_ASSIGN_OR_RETURN(outcome.heldout, run_->Evaluate());
  RINGLET_ASSIGN_OR_RETURN(auto texts, TokenizerFiles(TokenizerPath(config)));
  texts["README.md"] = ModelCard({.config = config,
                                  .model = run_->Describe(),
                                  .parameters = run_->parameter_count(),
                                  .tokens = run_->tokens(),
                                  .seconds = seconds_,
                                  .merged = outcome.merged,
                                  .heldout = outcome.heldout});
  outcome.model = directory_ + "/model";
  RINGLET_RETURN_IF_ERROR(
      WriteModelDirectory(outcome.model, run_->parameters(), run_->model_json(), texts));
  RINGLET_RETURN_IF_ERROR(DrawReport());
  return outcome;
}

}  // namespace ringlet
