// Sampler: draws the next token from a row of logits.
//
// The distribution is built in this order, that of Hugging Face generate() and vLLM, which the
// numbers published on model cards assume:
//   1. banned ids are removed; a NaN counts as -inf;
//   2. repeat, frequency and presence penalties change the logits of tokens already seen;
//   3. temperature divides the logits (0: greedy, the largest logit, ties to the lower id);
//   4. top_k keeps the k largest logits, ties to the lower id;
//   5. top_p keeps the smallest set of most probable tokens whose sum reaches p;
//   6. min_p keeps tokens with at least min_p times the probability of the best one;
//   7. typical_p keeps the smallest set of tokens with sum p whose surprise is nearest the entropy.
// Each filter sees the renormalized distribution that the one before left, and leaves at least one
// token. Sums run in double in a fixed order, so a seed gives the same tokens everywhere that the
// logits and exp() are the same.
//
// Every row of floats is handled: when some logits are +inf, the draw is uniform among those; when
// no allowed logit exceeds -inf there is no distribution, and Sample says so by an empty optional.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/rng.h"
#include "base/status.h"

namespace ringlet {

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
  uint64_t seed = 0;
};

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
// All options in range.
Status ValidateSamplerOptions(const SamplerOptions& options, std::string_view source);

// A token with its probability under the filtered distribution.
struct Candidate {
  int32_t id = 0;
  float logit = 0;
  double probability = 0;
};

// What a draw may look at besides the logits.
struct SampleContext {
  std::span<const int32_t> tokens;  // prompt and answer so far; ids outside the row are ignored
  int64_t answer_begin = 0;         // tokens[answer_begin..] are the answer: frequency and presence
                                    // penalties count only these, repeat_penalty looks at the last
                                    // repeat_last_n of all tokens (-1: every one)
  std::span<const int32_t> banned;  // never drawn; ids outside the row are ignored
};

// Not thread-safe; one per sequence.
class Sampler {
 public:
  // Options must be valid (ValidateSamplerOptions).
  explicit Sampler(const SamplerOptions& options);

  // The next token, or nothing when no allowed logit is above -inf. `logits` is one row; rows of
  // padded vocabularies are cut by the caller to the ids that exist. Advances the generator by one
  // draw, except at temperature 0.
  std::optional<int32_t> Sample(std::span<const float> logits, const SampleContext& context);

  // The distribution Sample draws from; empty when there is none. At temperature 0 a single
  // candidate. Valid until the next call. Does not advance the generator.
  std::span<const Candidate> Distribution(std::span<const float> logits,
                                          const SampleContext& context);

  const SamplerOptions& options() const { return options_; }

 private:
  std::span<const float> ApplyPenalties(std::span<const float> logits,
                                        const SampleContext& context);
  void AddCounts(std::span<const int32_t> tokens, int64_t vocab);
  void SelectTopK(std::span<const float> logits);
  void ComputeProbabilities();
  void KeepTopP();
  void KeepMinP();
  void KeepTypical();
  void Truncate(size_t keep);

  SamplerOptions options_;
  Rng rng_;
  std::vector<Candidate> candidates_;
  std::vector<float> edited_;     // the row after bans and penalties
  std::vector<int32_t> counts_;   // by id; all zero between calls
  std::vector<int32_t> touched_;  // ids with a count
};

}  // namespace ringlet
