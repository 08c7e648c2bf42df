// Sampler: draws the next token from a row of logits.
//
// The distribution is built in this order, that of Hugging Face generate() and vLLM, which the
// numbers published on model cards assume:
//   1. ids that are banned or not allowed are removed; a NaN counts as -inf;
//   2. logit_bias is added; a bias of -100 removes the id;
//   3. repeat, frequency and presence penalties change the logits of tokens already seen;
//   4. DRY: a token that would go on with a repetition of n >= dry_allowed_length tokens loses
//      dry_multiplier * dry_base^(n - dry_allowed_length), but for breakers;
//   5. temperature divides the logits (0: greedy, the largest logit, ties to the lower id);
//   6. top_k keeps the k largest logits, ties to the lower id;
//   7. top_p keeps the smallest set of most probable tokens whose sum reaches p;
//   8. min_p keeps tokens with at least min_p times the probability of the best one;
//   9. typical_p keeps the smallest set of tokens with sum p whose surprise is nearest the entropy;
//  10. XTC, with the chance xtc_probability for each draw, removes all tokens of at least
//      xtc_threshold but the least probable of them (of equals the higher id).
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
#include <vector>

#include "base/rng.h"
#include "engine/repetition.h"
#include "engine/sampler_options.h"

namespace ringlet {

// A token with its probability under the filtered distribution, and its logit after step 4.
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
  std::span<const uint64_t> allowed;  // bits of a TokenSet: other ids are never drawn; empty: all
};

// Not thread-safe; one per sequence.
class Sampler {
 public:
  // Options must be valid (ValidateSamplerOptions).
  explicit Sampler(const SamplerOptions& options);

  // The next token, or nothing when no allowed logit is above -inf. `logits` is one row; rows of
  // padded vocabularies are cut by the caller to the ids that exist. Advances the generator by one
  // draw, and by another before it when xtc_probability is not 0; at temperature 0 by none.
  std::optional<int32_t> Sample(std::span<const float> logits, const SampleContext& context);

  // The distribution Sample draws from, before the chance of XTC is taken; empty when there is
  // none. At temperature 0 a single candidate. Valid until the next call. Does not advance the
  // generator.
  std::span<const Candidate> Distribution(std::span<const float> logits,
                                          const SampleContext& context);

  const SamplerOptions& options() const { return options_; }

 private:
  std::span<const float> EditRow(std::span<const float> logits, const SampleContext& context);
  void Remove(std::span<const float> logits, const SampleContext& context);
  void AddBiases();
  void Penalize(const SampleContext& context);
  void PenalizeRepetition(const SampleContext& context);
  void AddCounts(std::span<const int32_t> tokens);
  template <typename Change>
  void ForEachCounted(Change&& change);
  void SelectTopK(std::span<const float> logits);
  void ComputeProbabilities();
  void KeepTopP();
  void KeepMinP();
  void KeepTypical();
  void ExcludeTopChoices();
  void Truncate(size_t keep);

  SamplerOptions options_;
  Rng rng_;
  std::vector<Candidate> candidates_;
  std::vector<float> edited_;     // the row after steps 1 to 4
  std::vector<int32_t> counts_;   // by id; all zero between calls
  std::vector<int32_t> touched_;  // ids with a count
  RepetitionFinder repetition_;
};

}  // namespace ringlet
