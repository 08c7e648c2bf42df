// How far one model's predictions are from another's, token by token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/status.h"
#include "engine/engine.h"

namespace ringlet {

// Of one position: what the two models say about the token after it.
struct TokenDivergence {
  double kl = 0;             // sum p log(p / q), natural logarithm, p the reference's
  bool same_best = false;    // whether both find the same token likeliest
  double logprob = 0;        // the reference's, of the token that follows; 0 for the last position
  double other_logprob = 0;  // the other's
};

struct Divergence {
  std::vector<TokenDivergence> tokens;

  double MeanKl() const;
  double MaxKl() const;
  double SameBest() const;  // share of positions
  // exp of minus the mean log-probability of the tokens that follow.
  double Perplexity() const;
  double OtherPerplexity() const;
};

// Runs both models over `tokens`. Memory: the logits of `chunk` positions. Errors: vocabularies of
// different sizes, tokens out of range, log-probabilities that are not numbers.
Result<Divergence> CompareModels(Engine& reference, Engine& other, std::span<const int32_t> tokens,
                                 int64_t chunk,
                                 const std::function<void(int64_t done, int64_t total)>& progress);

// One position, from its logits; `next` is the token that follows, -1: none.
TokenDivergence CompareLogits(std::span<const float> reference, std::span<const float> other,
                              int32_t next);

}  // namespace ringlet
