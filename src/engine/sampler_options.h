// What a Sampler is told to do: names, ranges and defaults of its options.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "engine/token_set.h"

namespace ringlet {

// The order in which these act is documented in engine/sampler.h.
struct SamplerOptions {
  double temperature = 0.8;
  int64_t top_k = 40;
  double top_p = 0.95;
  double min_p = 0.05;
  double typical_p = 1.0;
  double repeat_penalty = 1.0;
  int64_t repeat_last_n = 64;
  double frequency_penalty = 0.0;
  double presence_penalty = 0.0;
  double dry_multiplier = 0.0;
  double dry_base = 1.75;
  int64_t dry_allowed_length = 2;
  int64_t dry_penalty_last_n = -1;
  double xtc_probability = 0.0;
  double xtc_threshold = 0.1;
  uint64_t seed = 0;
  // Added to the logits of these ids; kMinLogitBias removes the id. Ids outside the row are
  // ignored.
  std::map<int32_t, double> logit_bias;
  // Tokens that no repetition seen by DRY reaches across (TokensContaining); null: none.
  std::shared_ptr<const TokenSet> dry_breakers;
};

inline constexpr double kMinLogitBias = -100;
inline constexpr double kMaxLogitBias = 100;

// Texts that usually separate repetitions that are meant: line ends, colons, quotes, asterisks.
std::span<const std::string_view> DefaultDrySequenceBreakers();

// One row per numeric option: the only statement of names, ranges and defaults, from which command
// line flags and request fields are made. The seed is not in it: every 64-bit value is good.
struct SamplerParameter {
  std::string_view name;
  std::variant<double SamplerOptions::*, int64_t SamplerOptions::*> member;
  double min;
  double max;
  std::string_view help;

  bool is_integer() const { return member.index() == 1; }
  double Get(const SamplerOptions& options) const;
  // "a number from 0 to 1", for error messages and help.
  std::string Range() const;
};
std::span<const SamplerParameter> SamplerParameters();
// nullptr when no parameter has that name.
const SamplerParameter* FindSamplerParameter(std::string_view name);

// Sets one option after checking its range; NaN and fractions of integers are refused. `source`
// names the flag's or field's origin in the error.
Status SetSamplerParameter(SamplerOptions& options, std::string_view name, double value,
                           std::string_view source);
// Sets the bias of one id, a number from kMinLogitBias to kMaxLogitBias; negative ids are refused.
Status SetLogitBias(SamplerOptions& options, int32_t id, double bias, std::string_view source);
// All options in range.
Status ValidateSamplerOptions(const SamplerOptions& options, std::string_view source);

}  // namespace ringlet
