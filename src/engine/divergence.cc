#include "engine/divergence.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace ringlet {
namespace {

struct LogNormalizer {
  double value = 0;  // log of the sum of exponentials
  size_t best = 0;
};

LogNormalizer Normalize(std::span<const float> logits) {
  const auto best = std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - *best);
  return {*best + std::log(sum), static_cast<size_t>(best - logits.begin())};
}

double PerplexityOf(const std::vector<TokenDivergence>& tokens, double TokenDivergence::*logprob) {
  if (tokens.size() < 2) return 0;
  double sum = 0;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) sum += tokens[i].*logprob;
  return std::exp(-sum / static_cast<double>(tokens.size() - 1));
}

}  // namespace

double Divergence::MeanKl() const {
  double sum = 0;
  for (const TokenDivergence& token : tokens) sum += token.kl;
  return tokens.empty() ? 0 : sum / static_cast<double>(tokens.size());
}

double Divergence::MaxKl() const {
  double largest = 0;
  for (const TokenDivergence& token : tokens) largest = std::max(largest, token.kl);
  return largest;
}

double Divergence::SameBest() const {
  const auto same = std::ranges::count_if(tokens, [](const auto& t) { return t.same_best; });
  return tokens.empty() ? 1 : static_cast<double>(same) / static_cast<double>(tokens.size());
}

double Divergence::Perplexity() const { return PerplexityOf(tokens, &TokenDivergence::logprob); }

double Divergence::OtherPerplexity() const {
  return PerplexityOf(tokens, &TokenDivergence::other_logprob);
}

TokenDivergence CompareLogits(std::span<const float> reference, std::span<const float> other,
                              int32_t next) {
  const LogNormalizer p = Normalize(reference);
  const LogNormalizer q = Normalize(other);
  TokenDivergence token;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_p = reference[i] - p.value;
    token.kl += std::exp(log_p) * (log_p - (other[i] - q.value));
  }
  token.same_best = p.best == q.best;
  if (next >= 0) {
    token.logprob = reference[static_cast<size_t>(next)] - p.value;
    token.other_logprob = other[static_cast<size_t>(next)] - q.value;
  }
  return token;
}

Result<Divergence> CompareModels(Engine& reference, Engine& other, std::span<const int32_t> tokens,
                                 int64_t chunk,
                                 const std::function<void(int64_t, int64_t)>& progress) {
  const int64_t vocab = reference.model().config().vocab;
  if (other.model().config().vocab != vocab) {
    return BadInput(other.model().checkpoint().path, "vocab_size",
                    fmt::to_string(other.model().config().vocab),
                    fmt::format("{}, that of {}", vocab, reference.model().checkpoint().path));
  }
  Divergence divergence;
  Sequence reference_sequence = reference.NewSequence();
  Sequence other_sequence = other.NewSequence();
  std::vector<float> logits;
  const int64_t count = std::ssize(tokens);
  for (int64_t at = 0; at < count; at += chunk) {
    Feed feed;
    feed.sequence = &reference_sequence;
    feed.tokens =
        tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(chunk, count - at)));
    feed.rows = LogitRows::kAll;
    logits.clear();
    feed.on_logits = [&](int64_t, std::span<const float> row) {
      logits.insert(logits.end(), row.begin(), row.end());
    };
    RINGLET_RETURN_IF_ERROR(reference.Step(std::span<const Feed>(&feed, 1)));
    feed.sequence = &other_sequence;
    feed.on_logits = [&](int64_t row, std::span<const float> theirs) {
      const auto next = static_cast<size_t>(at + row + 1);
      divergence.tokens.push_back(CompareLogits(
          std::span(logits).subspan(static_cast<size_t>(row * vocab), static_cast<size_t>(vocab)),
          theirs, next < tokens.size() ? tokens[next] : -1));
    };
    RINGLET_RETURN_IF_ERROR(other.Step(std::span<const Feed>(&feed, 1)));
    if (progress) progress(at + std::ssize(feed.tokens), count);
  }
  for (size_t i = 0; i < divergence.tokens.size(); ++i) {
    if (std::isfinite(divergence.tokens[i].kl)) continue;
    return Status(StatusCode::kInvalidInput,
                  fmt::format("token {}: the divergence is not a number: the weights of one model "
                              "are damaged, or a computation overflowed",
                              i));
  }
  return divergence;
}

}  // namespace ringlet
