// The log-sum-exp of a row of logits: the one definition of log-probabilities, so that what a model
// says about a token is the same number, bit for bit, when it is trained and when it is served.
//
//   blocks    of kVocabularyBlock logits, in ascending order: the largest logit and the fp32 sum of
//             e^(logit - largest), by the instruction set's kernel
//   sum       of the blocks in float64
//   NaN       anywhere in the row makes the result NaN; a row of -inf gives -inf
// ln p(label) is logits[label] - LogSumExp, in float64.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "ops/isa.h"

namespace ringlet {

inline constexpr int64_t kVocabularyBlock = 1024;

// Block by block, for callers that never hold a whole row.
class LogSumExpOfBlocks {
 public:
  // The largest of the next block's logits, and the sum of e^(logit - largest).
  void Add(float largest, float sum);
  double Value() const;

 private:
  double largest_ = -std::numeric_limits<double>::infinity();
  double sum_ = 0;
};

// Of a row that is there; at least one logit.
double LogSumExp(const IsaChoice& isa, std::span<const float> logits);

}  // namespace ringlet
