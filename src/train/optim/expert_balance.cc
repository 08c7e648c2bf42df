#include "train/optim/expert_balance.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace ringlet {
namespace {

__extension__ using Wide = __int128;

int64_t Total(std::span<const int64_t> counts) {
  int64_t total = 0;
  for (const int64_t count : counts) {
    RINGLET_CHECK(count >= 0, "a load is a count");
    total += count;
  }
  return total;
}

// total - experts * count has the sign of the violation, without rounding.
Wide Violation(int64_t total, int64_t count, size_t experts) {
  return static_cast<Wide>(total) - static_cast<Wide>(count) * static_cast<Wide>(experts);
}

}  // namespace

LoadStats MeasureLoad(std::span<const int64_t> counts) {
  LoadStats stats;
  stats.total = Total(counts);
  stats.idle = std::ranges::count(counts, 0);
  if (stats.total == 0) return stats;
  const auto experts = static_cast<double>(counts.size());
  const double mean = static_cast<double>(stats.total) / experts;
  double squares = 0;
  for (const int64_t count : counts) {
    const double off = static_cast<double>(Violation(stats.total, count, counts.size())) / experts;
    squares += off * off;
  }
  stats.cv = std::sqrt(squares / experts) / mean;
  stats.max_over_mean = static_cast<double>(std::ranges::max(counts)) / mean;
  return stats;
}

void UpdateExpertBias(std::span<const int64_t> counts, BalanceRule rule, double rate,
                      std::span<float> bias) {
  RINGLET_CHECK(counts.size() == bias.size(), "one bias for each expert");
  const int64_t total = Total(counts);
  if (rule == BalanceRule::kOff || total == 0) return;
  int64_t signs = 0;
  for (const int64_t count : counts) {
    const Wide off = Violation(total, count, counts.size());
    signs += (off > 0) - (off < 0);
  }
  const double mean_sign = static_cast<double>(signs) / static_cast<double>(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) {
    const Wide off = Violation(total, counts[i], counts.size());
    const double change = rule == BalanceRule::kSign
                              ? static_cast<double>((off > 0) - (off < 0)) - mean_sign
                              : static_cast<double>(off) / static_cast<double>(total);
    bias[i] = static_cast<float>(bias[i] + rate * change);
  }
}

}  // namespace ringlet
