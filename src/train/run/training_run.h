// A training run: a configuration, its model, its data and where it stands. What a run computes
// depends on the configuration alone: not on threads, on interruptions or on what is recomputed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "train/config/run_config.h"
#include "train/data/data_sampler.h"
#include "train/log/run_log.h"
#include "train/optim/spike_guard.h"
#include "train/step/gradient_step.h"
#include "train/store/checkpoint_store.h"

namespace ringlet {

// What one step of the optimizer did.
struct StepOutcome {
  int64_t step = 0;
  int64_t tokens = 0;              // of the step
  double loss = 0;                 // mean of -ln p over the labelled tokens
  std::optional<double> mtp_loss;  // mean over what the MTP layers predict
  double lr = 0;
  double grad_norm = 0;
  double ops = 0;  // that the model needs: 3 times those of the forward pass
  StepVerdict verdict = StepVerdict::kTake;
  std::vector<std::vector<int64_t>> load;  // [MoE layer][expert], rows of the step
};

class TrainingRun {
 public:
  // At step 0, with the initial weights. Errors name the file and key: the model's configuration,
  // data that is not there or was made with another vocabulary, what is not implemented.
  static Result<std::unique_ptr<TrainingRun>> Create(const RunConfig& config, Context& context);

  const RunConfig& config() const { return config_; }
  const OrderedJson& model_json() const { return model_json_; }
  const ModelConfig& model_config() const { return parameters_->config(); }
  const ParameterSet& parameters() const { return *parameters_; }
  int64_t parameter_count() const { return parameters_->values(); }
  // For people: "BailingMoeLinearV2ForCausalLM, 12 layers".
  std::string Describe() const;
  int64_t step() const { return step_; }
  int64_t tokens() const { return tokens_; }
  bool done() const { return step_ >= config_.steps; }

  // One step. Errors: the data's; StepVerdict::kStop is one, too.
  Result<StepOutcome> Step();

  // Mean of -ln p over the first `tokens` held-out tokens, by the weights as they are, and the same
  // in bits per byte of text. None without held-out data.
  struct HeldOut {
    double loss = 0;
    double bits_per_byte = 0;
  };
  Result<std::optional<HeldOut>> Evaluate();

  // Everything that decides how the run goes on.
  CheckpointContents Save() const;
  // Errors name what differs from this run's configuration. After an error the run is unusable.
  Status Restore(const StoredCheckpoint& checkpoint);
  // Replaces the weights by a mean of those of checkpoints of this run, oldest first, as
  // config.merge.shape weighs them. The run cannot go on after it.
  Status Merge(std::span<const StoredCheckpoint> checkpoints);

 private:
  TrainingRun(const RunConfig& config, Context& context)
      : config_(config), context_(context), guard_(config.guard) {}

  Status BuildModel();
  // A data directory whose tokens the model has.
  Result<std::shared_ptr<const ShardSet>> Open(const std::string& path, Split split) const;
  Status OpenData();
  Status OpenHeldOut(std::vector<MixtureSource> sources);
  DataSampler& SamplerOf(int64_t step);
  Status DrawStep(std::vector<TrainingBatch>* micro_batches);
  void Accumulate(const std::vector<TrainingBatch>& micro_batches, StepOutcome* outcome);
  void Update(const StepOutcome& outcome);
  double OpsOf(const TrainingBatch& batch) const;
  void Pack();
  CheckpointTensor TensorOf(const Parameter& parameter, const float* values) const;

  RunConfig config_;
  Context& context_;
  OrderedJson model_json_;
  std::unique_ptr<ParameterSet> parameters_;
  std::unique_ptr<GradientStep> gradients_;
  PackedModel model_;
  AlignedBuffer<float> mean_;  // AdamW's moments
  AlignedBuffer<float> square_;
  std::vector<DataSampler> samplers_;  // of each stage
  std::optional<DataSampler> heldout_;
  double heldout_bytes_per_token_ = 0;
  SpikeGuard guard_;
  int64_t step_ = 0;
  int64_t updates_ = 0;  // steps that were taken
  int64_t tokens_ = 0;
};

}  // namespace ringlet
