#include "train/run/training_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/arch.h"
#include "model/cost.h"
#include "ops/adamw/adamw.h"
#include "train/config/run_model.h"
#include "train/optim/expert_balance.h"
#include "train/optim/merge.h"
#include "train/optim/schedule.h"
#include "train/run/initialize.h"

namespace ringlet {
namespace {

// Appends a sequence to a batch; its documents begin anew.
void Append(const PackedSequence& sequence, TrainingBatch* batch) {
  for (const int32_t start : sequence.starts) batch->starts.push_back(batch->rows() + start);
  batch->tokens.insert(batch->tokens.end(), sequence.tokens.begin(), sequence.tokens.end());
  batch->labels.insert(batch->labels.end(), sequence.targets.begin(), sequence.targets.end());
}

int64_t Labelled(const TrainingBatch& batch) {
  return std::ranges::count_if(batch.labels, [](int32_t label) { return label >= 0; });
}

double SumOfLosses(std::span<const double> log_probs) {
  double sum = 0;
  for (const double value : log_probs) sum -= value;
  return sum;
}

using Loads = std::vector<std::vector<int64_t>>;

void AddLoads(const Loads& load, Loads* sum) {
  sum->resize(load.size());
  for (size_t layer = 0; layer < load.size(); ++layer) {
    (*sum)[layer].resize(load[layer].size());
    for (size_t e = 0; e < load[layer].size(); ++e) (*sum)[layer][e] += load[layer][e];
  }
}

// -1 where there is no such number.
int64_t IntegerOf(const Json& state, const char* key) {
  const auto found = state.find(key);
  return found != state.end() && found->is_number_integer() ? found->get<int64_t>() : -1;
}

// Of a parameter in a checkpoint's file, which stays mapped.
Result<std::span<const float>> ValuesOf(const Safetensors& file, const Parameter& parameter) {
  const StoredTensor* tensor = file.Find(parameter.name);
  const auto count = static_cast<size_t>(parameter.size());
  if (tensor == nullptr || tensor->data.size() != count * sizeof(float)) {
    return BadInput(file.path(), parameter.name, tensor == nullptr ? "nothing" : "another size",
                    fmt::format("{} fp32 values", count));
  }
  return std::span(reinterpret_cast<const float*>(tensor->data.data()), count);
}

}  // namespace

Result<std::unique_ptr<TrainingRun>> TrainingRun::Create(const RunConfig& config,
                                                         Context& context) {
  std::unique_ptr<TrainingRun> run(new TrainingRun(config, context));
  RINGLET_RETURN_IF_ERROR(run->BuildModel());
  RINGLET_RETURN_IF_ERROR(run->OpenData());
  return run;
}

Status TrainingRun::BuildModel() {
  RINGLET_ASSIGN_OR_RETURN(RunModel resolved, ResolveRunModel(config_));
  model_json_ = std::move(resolved.json);
  const ModelConfig& model = resolved.config;
  const std::string source = config_.name + " [model]";
  RINGLET_ASSIGN_OR_RETURN(const HfArchitecture* architecture,
                           FindHfArchitecture(Json(model_json_), source));
  const bool bf16 = config_.compute == Compute::kBf16;
  RINGLET_ASSIGN_OR_RETURN(
      ParameterSet parameters,
      ParameterSet::Create(*architecture, model, bf16 ? PackedFormat::kBf16 : PackedFormat::kF32));
  parameters_ = std::make_unique<ParameterSet>(std::move(parameters));
  InitializeWeights(*parameters_, static_cast<uint64_t>(config_.seed),
                    model_json_.value("initializer_range", 0.02f));
  if (!config_.model.weights.empty()) {
    RINGLET_RETURN_IF_ERROR(LoadWeights(*parameters_, ConfigPath(config_, config_.model.weights)));
  }
  gradients_ = std::make_unique<GradientStep>(
      context_, *parameters_,
      GradientOptions{.recompute = config_.recompute,
                      .z_loss = static_cast<float>(config_.loss.z_loss),
                      .router_z_loss = config_.loss.router_z_loss,
                      .mtp_weight = config_.loss.mtp_weight});
  mean_.Reset(static_cast<size_t>(parameters_->values()));
  square_.Reset(static_cast<size_t>(parameters_->values()));
  std::ranges::fill(mean_.span(), 0.0f);
  std::ranges::fill(square_.span(), 0.0f);
  Pack();
  return Status::Ok();
}

void TrainingRun::Pack() {
  const bool bf16 = config_.compute == Compute::kBf16;
  model_ = parameters_->Pack(context_, bf16 ? KvType::kBf16 : KvType::kF32);
}

std::string TrainingRun::Describe() const {
  return fmt::format("{}, {} layers", model_config().architecture, model_config().layers.size());
}

Result<std::shared_ptr<const ShardSet>> TrainingRun::Open(const std::string& path,
                                                          Split split) const {
  const std::string place = ConfigPath(config_, path);
  RINGLET_ASSIGN_OR_RETURN(auto set, ShardSet::Open(place, split));
  if (set->manifest().vocab_size <= static_cast<uint64_t>(model_config().vocab)) return set;
  return BadInput(place, "vocabulary", fmt::format("{} tokens", set->manifest().vocab_size),
                  fmt::format("at most the model's {}", model_config().vocab));
}

Status TrainingRun::OpenData() {
  std::vector<MixtureSource> train;
  std::vector<MixtureSource> heldout;
  for (const DataSettings& data : config_.data) {
    RINGLET_ASSIGN_OR_RETURN(auto set, Open(data.path, Split::kTrain));
    const bool has_heldout = !set->manifest().Of(Split::kHeldOut).empty();
    train.push_back({.data = std::move(set), .weight = data.weight});
    if (!has_heldout || !config_.evaluation.data.empty()) continue;
    RINGLET_ASSIGN_OR_RETURN(auto held, Open(data.path, Split::kHeldOut));
    heldout.push_back({.data = std::move(held), .weight = data.weight});
  }
  const auto seed = static_cast<uint64_t>(config_.seed);
  for (size_t i = 0; i < config_.stages.size(); ++i) {
    RINGLET_ASSIGN_OR_RETURN(DataSampler sampler,
                             DataSampler::Create(train, config_.stages[i].sequence, seed + i));
    samplers_.push_back(std::move(sampler));
  }
  if (!config_.evaluation.data.empty()) {
    RINGLET_ASSIGN_OR_RETURN(auto set, Open(config_.evaluation.data, Split::kTrain));
    heldout.push_back({.data = std::move(set)});
  }
  return OpenHeldOut(std::move(heldout));
}

Status TrainingRun::OpenHeldOut(std::vector<MixtureSource> sources) {
  if (sources.empty()) return Status::Ok();
  double bytes = 0;  // of a token of the mixture
  double weight = 0;
  for (const MixtureSource& source : sources) {
    bytes += source.weight * source.data->BytesPerToken();
    weight += source.weight;
  }
  heldout_bytes_per_token_ = bytes / weight;
  RINGLET_ASSIGN_OR_RETURN(
      DataSampler sampler,
      DataSampler::Create(std::move(sources), config_.stages.front().sequence, 0));
  heldout_ = std::move(sampler);
  return Status::Ok();
}

DataSampler& TrainingRun::SamplerOf(int64_t step) {
  return samplers_[static_cast<size_t>(&config_.StageOf(step) - config_.stages.data())];
}

Status TrainingRun::DrawStep(std::vector<TrainingBatch>* micro_batches) {
  DataSampler& sampler = SamplerOf(step_ + 1);
  const int64_t sequences = std::max<int64_t>(1, config_.batch_tokens / sampler.length());
  const int64_t at_once = std::max<int64_t>(1, config_.micro_batch_tokens / sampler.length());
  PackedSequence sequence;
  for (int64_t i = 0; i < sequences; ++i) {
    RINGLET_RETURN_IF_ERROR(sampler.Next(sequence));
    if (i % at_once == 0) micro_batches->emplace_back();
    Append(sequence, &micro_batches->back());
  }
  return Status::Ok();
}

void TrainingRun::Accumulate(const std::vector<TrainingBatch>& micro_batches,
                             StepOutcome* outcome) {
  int64_t labelled = 0;
  for (const TrainingBatch& batch : micro_batches) {
    labelled += Labelled(batch);
    outcome->tokens += batch.rows();
    outcome->ops += OpsOf(batch);
  }
  const double scale = 1.0 / static_cast<double>(std::max<int64_t>(1, labelled));
  std::ranges::fill(parameters_->gradients(), 0.0f);
  double loss = 0;
  double mtp_loss = 0;
  int64_t mtp_labelled = 0;
  for (const TrainingBatch& batch : micro_batches) {
    gradients_->Run(model_, batch, static_cast<float>(scale));
    loss += SumOfLosses(gradients_->log_probs());
    mtp_loss += gradients_->mtp_loss();
    mtp_labelled += gradients_->mtp_labelled();
    AddLoads(gradients_->load(), &outcome->load);
  }
  outcome->loss = loss * scale;
  if (mtp_labelled > 0) outcome->mtp_loss = mtp_loss / static_cast<double>(mtp_labelled);
}

double TrainingRun::OpsOf(const TrainingBatch& batch) const {
  double ops = 0;
  for (size_t d = 0; d < batch.starts.size(); ++d) {
    const int64_t rows = batch.EndOf(d) - batch.starts[d];
    ops += 3 * CostOfStep(model_, {.rows = rows, .logit_rows = rows}).ops();
  }
  return ops;
}

Result<StepOutcome> TrainingRun::Step() {
  std::vector<TrainingBatch> micro_batches;
  RINGLET_RETURN_IF_ERROR(DrawStep(&micro_batches));
  StepOutcome outcome;
  Accumulate(micro_batches, &outcome);
  outcome.step = ++step_;
  tokens_ += outcome.tokens;
  outcome.lr = LearningRate(config_.schedule, config_.optimizer.lr, config_.steps, step_);
  const std::span<const float> all[] = {parameters_->gradients()};
  outcome.grad_norm = std::sqrt(SumOfSquares(context_, all));
  outcome.verdict = guard_.Judge(outcome.loss, outcome.grad_norm);
  if (outcome.verdict == StepVerdict::kStop) {
    return Status(StatusCode::kInvalidInput,
                  fmt::format("step {}: found loss {} and gradient norm {} after {} skipped steps, "
                              "expected numbers; a lower learning rate may help",
                              step_, outcome.loss, outcome.grad_norm, config_.guard.max_skips));
  }
  if (outcome.verdict == StepVerdict::kTake) Update(outcome);
  return outcome;
}

void TrainingRun::Update(const StepOutcome& outcome) {
  const OptimizerSettings& optimizer = config_.optimizer;
  const double clip = ClipScale(outcome.grad_norm, optimizer.clip);
  ++updates_;
  for (Parameter& parameter : parameters_->all()) {
    if (!parameter.trained) continue;
    const int64_t at = parameters_->OffsetOf(parameter);
    AdamW(context_, {
                        .grad = parameter.gradient,
                        .weight = parameter.value,
                        .mean = mean_.data() + at,
                        .square = square_.data() + at,
                        .n = parameter.size(),
                        .step = updates_,
                        .lr = outcome.lr,
                        .beta1 = optimizer.beta1,
                        .beta2 = optimizer.beta2,
                        .eps = optimizer.eps,
                        .decay = parameter.decayed ? optimizer.weight_decay : 0.0,
                        .grad_scale = clip,
                    });
  }
  const double stage_rate = config_.StageOf(step_).balance_rate;
  const double rate = stage_rate < 0 ? config_.balance.rate : stage_rate;
  size_t layer = 0;
  for (Parameter& parameter : parameters_->all()) {
    if (parameter.trained) continue;
    if (layer == outcome.load.size()) break;  // MTP layers that are left alone
    UpdateExpertBias(outcome.load[layer++], config_.balance.rule, rate,
                     std::span(parameter.value, static_cast<size_t>(parameter.size())));
  }
  Pack();
}

Result<std::optional<TrainingRun::HeldOut>> TrainingRun::Evaluate() {
  if (!heldout_) return std::optional<HeldOut>();
  double loss = 0;
  int64_t labelled = 0;
  const int64_t wanted =
      std::min(config_.evaluation.tokens,
               static_cast<int64_t>(heldout_->EpochSequences(0)) * heldout_->length());
  PackedSequence sequence;
  for (int64_t i = 0; i * heldout_->length() < wanted; ++i) {
    RINGLET_RETURN_IF_ERROR(heldout_->At(static_cast<uint64_t>(i), sequence));
    TrainingBatch batch;
    Append(sequence, &batch);
    gradients_->RunForward(model_, batch);
    loss += SumOfLosses(gradients_->log_probs());
    labelled += Labelled(batch);
  }
  HeldOut result;
  result.loss = loss / static_cast<double>(std::max<int64_t>(1, labelled));
  result.bits_per_byte = result.loss / (std::log(2.0) * heldout_bytes_per_token_);
  return std::optional<HeldOut>(result);
}

CheckpointTensor TrainingRun::TensorOf(const Parameter& parameter, const float* values) const {
  const std::span<const float> span(values, static_cast<size_t>(parameter.size()));
  return {.name = parameter.name,
          .dtype = DType::kF32,
          .shape = {parameter.rows, parameter.cols},
          .data = std::as_bytes(span)};
}

CheckpointContents TrainingRun::Save() const {
  CheckpointContents contents;
  contents.step = step_;
  Json positions = Json::array();
  for (const DataSampler& sampler : samplers_) positions.push_back(sampler.SavePosition());
  const Json state = {
      {"step", step_},     {"updates", updates_},
      {"tokens", tokens_}, {"fingerprint", fmt::format("{:016x}", RunFingerprint(config_))},
      {"data", positions}, {"guard", guard_.State()}};
  contents.texts["state.json"] = state.dump(1) + "\n";
  contents.texts["run.toml"] = CanonicalToml(config_);
  contents.texts["config.json"] = model_json_.dump(2) + "\n";
  for (const Parameter& parameter : parameters_->all()) {
    const int64_t at = parameters_->OffsetOf(parameter);
    contents.tensors["weights"].push_back(TensorOf(parameter, parameter.value));
    if (!parameter.trained) continue;
    contents.tensors["mean"].push_back(TensorOf(parameter, mean_.data() + at));
    contents.tensors["square"].push_back(TensorOf(parameter, square_.data() + at));
  }
  return contents;
}

Status TrainingRun::Restore(const StoredCheckpoint& checkpoint) {
  const std::string source = checkpoint.path() + "/state.json";
  RINGLET_ASSIGN_OR_RETURN(const std::string_view text, checkpoint.Text("state.json"));
  RINGLET_ASSIGN_OR_RETURN(const Json state, ParseJson(text, source));
  const std::string wanted = fmt::format("{:016x}", RunFingerprint(config_));
  if (!state.is_object()) return BadInput(source, "", JsonBrief(state), "the state of a run");
  const Json found = state.value("fingerprint", Json());
  if (found != wanted) {
    return BadInput(source, "fingerprint", JsonBrief(found),
                    wanted +
                        ": settings that decide the weights were changed since this checkpoint; "
                        "give the run another name, or change them back");
  }
  step_ = IntegerOf(state, "step");
  updates_ = IntegerOf(state, "updates");
  tokens_ = IntegerOf(state, "tokens");
  const Json positions = state.value("data", Json::array());
  if (step_ != checkpoint.step() || updates_ < 0 || tokens_ < 0 || !positions.is_array() ||
      positions.size() != samplers_.size()) {
    return BadInput(source, "step", JsonBrief(state), "the state of a run");
  }
  for (size_t i = 0; i < samplers_.size(); ++i) {
    RINGLET_RETURN_IF_ERROR(samplers_[i].RestorePosition(positions[i], source));
  }
  RINGLET_RETURN_IF_ERROR(guard_.Restore(state.value("guard", Json()), source));
  const struct {
    const char* name;
    float* base;
    bool all;
  } groups[] = {{"weights", parameters_->master().data(), true},
                {"mean", mean_.data(), false},
                {"square", square_.data(), false}};
  for (const auto& group : groups) {
    RINGLET_ASSIGN_OR_RETURN(const auto tensors, checkpoint.Tensors(group.name));
    for (const Parameter& parameter : parameters_->all()) {
      if (!group.all && !parameter.trained) continue;
      RINGLET_ASSIGN_OR_RETURN(const std::span<const float> values, ValuesOf(*tensors, parameter));
      std::ranges::copy(values, group.base + parameters_->OffsetOf(parameter));
    }
  }
  Pack();
  return Status::Ok();
}

Status TrainingRun::Merge(std::span<const StoredCheckpoint> checkpoints) {
  std::vector<std::shared_ptr<const Safetensors>> files;
  for (const StoredCheckpoint& checkpoint : checkpoints) {
    RINGLET_ASSIGN_OR_RETURN(files.emplace_back(), checkpoint.Tensors("weights"));
  }
  const std::vector<double> coefficients =
      MergeCoefficients(config_.merge.shape, std::ssize(checkpoints));
  for (Parameter& parameter : parameters_->all()) {
    std::vector<std::span<const float>> sources;
    for (const auto& file : files) {
      RINGLET_ASSIGN_OR_RETURN(sources.emplace_back(), ValuesOf(*file, parameter));
    }
    MergeWeights(context_.pool, sources, coefficients,
                 std::span(parameter.value, static_cast<size_t>(parameter.size())));
  }
  Pack();
  return Status::Ok();
}

}  // namespace ringlet
