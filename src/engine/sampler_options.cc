#include "engine/sampler_options.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace ringlet {
namespace {

constexpr double kMaxInt32 = 2147483647.0;

using Options = SamplerOptions;

constexpr std::array<SamplerParameter, 15> kParameters = {{
    {"temperature", &Options::temperature, 0, 100, "Divides the logits; 0 takes the best token"},
    {"top_k", &Options::top_k, 0, kMaxInt32, "Keep the k best tokens; 0 keeps all"},
    {"top_p", &Options::top_p, 0, 1,
     "Keep the best tokens whose probabilities reach p; 1 keeps all"},
    {"min_p", &Options::min_p, 0, 1,
     "Drop tokens below p times the best probability; 0 drops none"},
    {"typical_p", &Options::typical_p, 0, 1, "Locally typical sampling with mass p; 1 is off"},
    {"repeat_penalty", &Options::repeat_penalty, 0.1, 10, "Weakens tokens seen before; 1 is off"},
    {"repeat_last_n", &Options::repeat_last_n, -1, kMaxInt32,
     "Tokens that repeat_penalty looks back on; -1 is all"},
    {"frequency_penalty", &Options::frequency_penalty, -2, 2,
     "Subtracted per occurrence in the answer"},
    {"presence_penalty", &Options::presence_penalty, -2, 2,
     "Subtracted once from tokens in the answer"},
    {"dry_multiplier", &Options::dry_multiplier, 0, 100,
     "Strength of the penalty on going on with a repetition; 0 is off"},
    {"dry_base", &Options::dry_base, 1, 100,
     "Growth of the DRY penalty per token of the repetition"},
    {"dry_allowed_length", &Options::dry_allowed_length, 1, kMaxInt32,
     "Tokens of the shortest repetition that DRY weakens"},
    {"dry_penalty_last_n", &Options::dry_penalty_last_n, -1, kMaxInt32,
     "Tokens that DRY looks back on; -1 is all"},
    {"xtc_probability", &Options::xtc_probability, 0, 1,
     "Chance of dropping all likely tokens but the least likely of them; 0 is off"},
    {"xtc_threshold", &Options::xtc_threshold, 0, 1,
     "Probability from which XTC calls a token likely; above 0.5 is off"},
}};

constexpr std::array<std::string_view, 4> kBreakers = {"\n", ":", "\"", "*"};

}  // namespace

double SamplerParameter::Get(const SamplerOptions& options) const {
  if (is_integer()) return static_cast<double>(options.*std::get<1>(member));
  return options.*std::get<0>(member);
}

std::string SamplerParameter::Range() const {
  if (!is_integer()) return fmt::format("a number from {} to {}", min, max);
  if (max == kMaxInt32) return fmt::format("an integer of at least {}", min);
  return fmt::format("an integer from {} to {}", min, max);
}

std::span<const SamplerParameter> SamplerParameters() { return kParameters; }

const SamplerParameter* FindSamplerParameter(std::string_view name) {
  for (const SamplerParameter& parameter : kParameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

Status SetSamplerParameter(SamplerOptions& options, std::string_view name, double value,
                           std::string_view source) {
  const SamplerParameter* parameter = FindSamplerParameter(name);
  if (parameter == nullptr) {
    return BadInput(source, name, "an unknown sampling parameter",
                    "temperature, top_k, top_p, ...");
  }
  const bool in_range = value >= parameter->min && value <= parameter->max;
  if (!in_range || (parameter->is_integer() && value != std::floor(value))) {
    return BadInput(source, name, fmt::format("{}", value), parameter->Range());
  }
  if (parameter->is_integer()) {
    options.*std::get<1>(parameter->member) = static_cast<int64_t>(value);
  } else {
    options.*std::get<0>(parameter->member) = value;
  }
  return Status::Ok();
}

Status SetLogitBias(SamplerOptions& options, int32_t id, double bias, std::string_view source) {
  if (id < 0) {
    return BadInput(source, "logit_bias", fmt::format("the id {}", id), "an id of at least 0");
  }
  if (!(bias >= kMinLogitBias && bias <= kMaxLogitBias)) {
    return BadInput(source, fmt::format("logit_bias[{}]", id), fmt::format("{}", bias),
                    fmt::format("a number from {} to {}", kMinLogitBias, kMaxLogitBias));
  }
  options.logit_bias[id] = bias;
  return Status::Ok();
}

Status ValidateSamplerOptions(const SamplerOptions& options, std::string_view source) {
  SamplerOptions copy = options;
  for (const SamplerParameter& parameter : kParameters) {
    RINGLET_RETURN_IF_ERROR(
        SetSamplerParameter(copy, parameter.name, parameter.Get(options), source));
  }
  for (const auto& [id, bias] : options.logit_bias) {
    RINGLET_RETURN_IF_ERROR(SetLogitBias(copy, id, bias, source));
  }
  return Status::Ok();
}

std::span<const std::string_view> DefaultDrySequenceBreakers() { return kBreakers; }

}  // namespace ringlet
