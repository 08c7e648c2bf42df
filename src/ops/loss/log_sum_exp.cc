#include "ops/loss/log_sum_exp.h"

#include <algorithm>
#include <cmath>

#include "ops/loss/cross_entropy_kernels.h"

namespace ringlet {

void LogSumExpOfBlocks::Add(float largest, float sum) {
  const double top = std::max(largest_, static_cast<double>(largest));
  const double shift = std::isinf(top) ? 0.0 : top;
  sum_ = sum_ * std::exp(largest_ - shift) + static_cast<double>(sum) * std::exp(largest - shift);
  largest_ = top;
}

double LogSumExpOfBlocks::Value() const { return largest_ + std::log(sum_); }

double LogSumExp(const IsaChoice& isa, std::span<const float> logits) {
  const CrossEntropyKernels& kernels = SelectKernels(CrossEntropyTables(), isa);
  LogSumExpOfBlocks blocks;
  const auto count = static_cast<int64_t>(logits.size());
  for (int64_t first = 0; first < count; first += kVocabularyBlock) {
    float largest;
    float sum;
    kernels.block(logits.data() + first, std::min(kVocabularyBlock, count - first), &largest, &sum);
    blocks.Add(largest, sum);
  }
  return blocks.Value();
}

}  // namespace ringlet
