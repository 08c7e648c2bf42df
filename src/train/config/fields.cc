#include "train/config/fields.h"

#include <type_traits>
#include <utility>

namespace ringlet {
namespace {

constexpr int64_t kMaxSteps = int64_t{1} << 40;
constexpr int64_t kMaxTokens = int64_t{1} << 32;

// What a lambda that names a member of S refers to.
template <typename S, typename At>
Field<S> Integer(std::string_view key, At at, int64_t min, int64_t max, std::string_view help) {
  return {key, help, IntegerField<S>{at, min, max}};
}
template <typename S, typename At>
Field<S> Number(std::string_view key, At at, double min, double max, std::string_view help) {
  return {key, help, NumberField<S>{at, min, max}};
}
template <typename S, typename At>
Field<S> Text(std::string_view key, At at, std::string_view help) {
  return {key, help, TextField<S>{at}};
}
template <typename S, typename At>
Field<S> Choice(std::string_view key, At at, std::vector<std::string_view> words,
                std::string_view help) {
  using Enum = std::remove_reference_t<decltype(at(std::declval<S&>()))>;
  return {
      key, help,
      ChoiceField<S>{[at](const S& s) { return static_cast<int>(at(const_cast<S&>(s))); },
                     [at](S& s, int word) { at(s) = static_cast<Enum>(word); }, std::move(words)}};
}
template <typename S>
Field<S> Free(Field<S> field) {
  field.decides_weights = false;
  return field;
}
template <typename S>
Field<S> Required(Field<S> field) {
  field.required = true;
  return field;
}

#define RINGLET_AT(Settings, member) \
  [](Settings & s) -> auto& { return s.member; }
#define RINGLET_RUN_AT(member) RINGLET_AT(RunConfig, member)

using R = RunConfig;

std::vector<Field<R>> TopFields() {
  return {
      Free(Text<R>("name", RINGLET_RUN_AT(name), "What reports call the run")),
      Integer<R>("steps", RINGLET_RUN_AT(steps), 1, kMaxSteps, "Optimizer steps of the whole run"),
      Integer<R>("seed", RINGLET_RUN_AT(seed), 0, INT64_MAX,
                 "Of the first weights and of the order of the data"),
      Integer<R>("batch_tokens", RINGLET_RUN_AT(batch_tokens), 1, kMaxTokens,
                 "Tokens of one optimizer step"),
      Integer<R>("micro_batch_tokens", RINGLET_RUN_AT(micro_batch_tokens), 1, kMaxTokens,
                 "Tokens that go through the model together; divides `batch_tokens`"),
      Choice<R>("compute", RINGLET_RUN_AT(compute), {"bf16", "f32"},
                "Weights of the forward and backward passes; master weights are fp32"),
      Free(Choice<R>("recompute", RINGLET_RUN_AT(recompute), {"none", "attention", "block"},
                     "What the backward pass computes again instead of keeping it; changes memory "
                     "and time, no bit of the result")),
      Text<R>("tokenizer", RINGLET_RUN_AT(tokenizer),
              "Directory or file of the tokenizer; empty: that of `weights`, or none goes into the "
              "output"),
  };
}

std::vector<Field<R>> ModelFields() {
  return {
      Text<R>("preset", RINGLET_RUN_AT(model.preset), "A shape that `ringlet inspect` knows"),
      Text<R>("config", RINGLET_RUN_AT(model.config), "A config.json instead of a preset"),
      Text<R>(
          "weights", RINGLET_RUN_AT(model.weights),
          "A model's directory: the run begins with its weights, and with its config.json where "
          "neither of the two is given"),
  };
}

std::vector<Field<R>> OptimizerFields() {
  return {
      Number<R>("lr", RINGLET_RUN_AT(optimizer.lr), 0, 10, "Highest learning rate"),
      Number<R>("beta1", RINGLET_RUN_AT(optimizer.beta1), 0, 0.99999, "Decay of the mean"),
      Number<R>("beta2", RINGLET_RUN_AT(optimizer.beta2), 0, 0.9999999, "Decay of the square"),
      Number<R>("eps", RINGLET_RUN_AT(optimizer.eps), 1e-30, 1, "Added to the root of the square"),
      Number<R>("weight_decay", RINGLET_RUN_AT(optimizer.weight_decay), 0, 10,
                "Decoupled, of matrices; norms, biases and embeddings do not decay"),
      Number<R>("clip", RINGLET_RUN_AT(optimizer.clip), 0, 1e9,
                "Largest norm of the gradient; longer ones are scaled to it; 0: none are"),
  };
}

std::vector<Field<R>> ScheduleFields() {
  return {
      Choice<R>("kind", RINGLET_RUN_AT(schedule.kind), {"wsm", "wsd", "cosine"},
                "wsm: warm-up, then stable, the end is a merge; wsd: with a decay at the end; "
                "cosine: from the warm-up to the end"),
      Integer<R>("warmup_steps", RINGLET_RUN_AT(schedule.warmup_steps), 0, kMaxSteps,
                 "Steps over which the rate rises linearly"),
      Integer<R>("decay_steps", RINGLET_RUN_AT(schedule.decay_steps), 0, kMaxSteps,
                 "Last steps, over which wsd lets the rate fall"),
      Choice<R>("decay", RINGLET_RUN_AT(schedule.decay), {"linear", "sqrt", "cosine"},
                "How it falls: 1 - x, 1 - sqrt(x) or half a cosine"),
      Number<R>("final_share", RINGLET_RUN_AT(schedule.final_share), 0, 1,
                "Share of `lr` that the fall ends at"),
  };
}

std::vector<Field<R>> GuardFields() {
  return {
      Integer<R>("window", RINGLET_RUN_AT(guard.window), 1, 65536,
                 "Steps taken whose gradient norms are remembered"),
      Integer<R>("min_samples", RINGLET_RUN_AT(guard.min_samples), 1, 65536,
                 "Norms to have seen before one can be a spike"),
      Number<R>("factor", RINGLET_RUN_AT(guard.factor), 0, 1e9,
                "A norm this many times the median is a spike; 0: none is"),
      Integer<R>("max_skips", RINGLET_RUN_AT(guard.max_skips), 1, 1000,
                 "Steps skipped in a row before spikes are taken, or the run ends if they are not "
                 "finite"),
  };
}

std::vector<Field<R>> BalanceFields() {
  return {
      Choice<R>("rule", RINGLET_RUN_AT(balance.rule), {"off", "sign", "proportional"},
                "How the selection biases of experts follow their load"),
      Number<R>("rate", RINGLET_RUN_AT(balance.rate), 0, 1, "Step of a bias"),
  };
}

std::vector<Field<R>> LossFields() {
  return {
      Number<R>("z_loss", RINGLET_RUN_AT(loss.z_loss), 0, 1,
                "Weight of the squared log-sum-exp of the logits"),
      Number<R>("router_z_loss", RINGLET_RUN_AT(loss.router_z_loss), 0, 1,
                "The same for the routers"),
      Number<R>("mtp_weight", RINGLET_RUN_AT(loss.mtp_weight), 0, 10,
                "Weight of multi-token prediction, in models that have it"),
  };
}

std::vector<Field<R>> CheckpointFields() {
  return {
      Free(Integer<R>("every_steps", RINGLET_RUN_AT(checkpoint.every_steps), 1, kMaxSteps,
                      "Steps between checkpoints")),
      Free(Number<R>("every_minutes", RINGLET_RUN_AT(checkpoint.every_minutes), 0, 1e6,
                     "Also after this time; 0: not")),
      Free(Integer<R>("keep", RINGLET_RUN_AT(checkpoint.keep), 1, 1'000'000,
                      "Newest checkpoints that stay")),
      Free(Integer<R>("keep_every", RINGLET_RUN_AT(checkpoint.keep_every), 0, kMaxSteps,
                      "Those of multiples of this step stay too; 0: none")),
  };
}

std::vector<Field<R>> EvaluationFields() {
  return {
      Free(Integer<R>("every_steps", RINGLET_RUN_AT(evaluation.every_steps), 0, kMaxSteps,
                      "Steps between measurements of held-out loss; 0: none")),
      Free(Integer<R>("tokens", RINGLET_RUN_AT(evaluation.tokens), 1, kMaxTokens,
                      "Held-out tokens it is measured on")),
      Free(
          Text<R>("data", RINGLET_RUN_AT(evaluation.data),
                  "A directory of tokenized text that is not trained on; empty: what `ringlet data "
                  "shards --held-out` kept of each [[data]]")),
  };
}

std::vector<Field<R>> MergeFields() {
  return {
      Free(Integer<R>("count", RINGLET_RUN_AT(merge.count), 1, 1024,
                      "Weights that are merged at the end; 1: the last ones alone")),
      Free(Integer<R>("every_steps", RINGLET_RUN_AT(merge.every_steps), 0, kMaxSteps,
                      "Steps between them")),
      Free(Choice<R>("shape", RINGLET_RUN_AT(merge.shape), {"linear", "sqrt", "cosine"},
                     "The decay of the learning rate that the merge stands for; linear is the "
                     "plain mean")),
  };
}

}  // namespace

const std::vector<FieldTable>& RunTables() {
  static const std::vector<FieldTable> tables = {
      {"", "Top level", TopFields()},
      {"model", "The model", ModelFields()},
      {"optimizer", "AdamW", OptimizerFields()},
      {"schedule", "The learning rate", ScheduleFields()},
      {"guard", "Steps that are skipped", GuardFields()},
      {"balance", "Balance of experts, without an auxiliary loss", BalanceFields()},
      {"loss", "Terms of the loss", LossFields()},
      {"checkpoint", "Checkpoints", CheckpointFields()},
      {"evaluation", "Held-out loss", EvaluationFields()},
      {"merge", "The final model", MergeFields()},
  };
  return tables;
}

const std::vector<Field<DataSettings>>& DataFields() {
  using D = DataSettings;
  static const std::vector<Field<D>> fields = {
      Required(Text<D>("path", RINGLET_AT(D, path), "A directory of tokenized text")),
      Number<D>("weight", RINGLET_AT(D, weight), 1e-9, 1e9,
                "Share of the tokens, relative to the other weights"),
  };
  return fields;
}

const std::vector<Field<StageSettings>>& StageFields() {
  using S = StageSettings;
  static const std::vector<Field<S>> fields = {
      Integer<S>("steps", RINGLET_AT(S, steps), 0, kMaxSteps,
                 "Steps of the stage; 0, in the last one: those that are left"),
      Integer<S>("sequence", RINGLET_AT(S, sequence), 1, int64_t{1} << 24,
                 "Tokens of a sequence; divides `micro_batch_tokens`"),
      Number<S>("balance_rate", RINGLET_AT(S, balance_rate), -1, 1,
                "Instead of `rate` of [balance]; negative: that one"),
  };
  return fields;
}

}  // namespace ringlet
