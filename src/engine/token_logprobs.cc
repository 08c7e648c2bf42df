#include "engine/token_logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/loss/log_sum_exp.h"

namespace ringlet {
namespace {

std::vector<int32_t> Likeliest(std::span<const float> logits, size_t count) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::erase_if(ids, [&](int32_t id) { return std::isnan(logits[static_cast<size_t>(id)]); });
  count = std::min(count, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    [&](int32_t a, int32_t b) {
                      const float x = logits[static_cast<size_t>(a)];
                      const float y = logits[static_cast<size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  ids.resize(count);
  return ids;
}

}  // namespace

TokenLogprobs ScoreToken(const IsaChoice& isa, std::span<const float> logits, int32_t id, int top,
                         int64_t vocab) {
  const double log_sum = LogSumExp(isa, logits);
  const auto score = [&](int32_t which) {
    return ScoredToken{which, logits[static_cast<size_t>(which)] - log_sum};
  };
  TokenLogprobs out;
  out.token = score(id);
  if (top <= 0) return out;
  const auto ids = vocab > 0 ? std::min(static_cast<size_t>(vocab), logits.size()) : logits.size();
  for (const int32_t best : Likeliest(logits.first(ids), static_cast<size_t>(top))) {
    out.top.push_back(score(best));
  }
  return out;
}

}  // namespace ringlet
