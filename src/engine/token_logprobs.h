// What a model says about single tokens: log-probabilities of a row of logits, before any sampling
// option changes it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/isa.h"

namespace ringlet {

struct ScoredToken {
  int32_t id = 0;
  double logprob = 0;  // natural logarithm
  bool operator==(const ScoredToken&) const = default;
};

struct TokenLogprobs {
  ScoredToken token;             // the one in question
  std::vector<ScoredToken> top;  // the likeliest, best first, ties to the lower id
  bool operator==(const TokenLogprobs&) const = default;
};

// Of `id` (in the row) and of the `top` likeliest ids below `vocab` (0: of the row). ln p is
// logits[id] minus LogSumExp of the whole row (ops/loss/log_sum_exp.h), the same bits that `ringlet
// logprobs` prints. A NaN is never among the likeliest.
TokenLogprobs ScoreToken(const IsaChoice& isa, std::span<const float> logits, int32_t id, int top,
                         int64_t vocab);

}  // namespace ringlet
