#include "engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace ringlet {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
// Of DRY: a finite logit stays finite, so that a penalty alone never removes the last token.
constexpr double kMaxPenalty = 1e30;
// Most probable first; equal logits in id order. Total because NaN never becomes a candidate.
bool Better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

double SumProbabilities(std::span<const Candidate> candidates) {
  double sum = 0;
  for (const Candidate& c : candidates) sum += c.probability;
  return sum;
}

// The last `count` tokens; -1: all.
std::span<const int32_t> LastTokens(std::span<const int32_t> tokens, int64_t count) {
  return count < 0 || count >= std::ssize(tokens) ? tokens
                                                  : tokens.last(static_cast<size_t>(count));
}

std::optional<int32_t> ArgMax(std::span<const float> logits) {
  std::optional<int32_t> best;
  float best_logit = kNever;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > best_logit) {  // false for NaN
      best_logit = logits[id];
      best = static_cast<int32_t>(id);
    }
  }
  return best;
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options) : options_(options), rng_(options.seed) {
  const Status status = ValidateSamplerOptions(options, "sampler");
  RINGLET_CHECK(status.ok(), status.message());
}

std::optional<int32_t> Sampler::Sample(std::span<const float> logits,
                                       const SampleContext& context) {
  if (Distribution(logits, context).empty()) return std::nullopt;
  if (options_.temperature == 0) return candidates_.front().id;
  if (options_.xtc_probability > 0 && rng_.Uniform() < options_.xtc_probability) {
    ExcludeTopChoices();
  }
  double rest = rng_.Uniform() * SumProbabilities(candidates_);
  for (const Candidate& c : candidates_) {
    if (rest < c.probability) return c.id;
    rest -= c.probability;
  }
  // Rounding left a remainder: the last token that can be drawn at all.
  const auto last = std::find_if(candidates_.rbegin(), candidates_.rend(),
                                 [](const Candidate& c) { return c.probability > 0; });
  return last->id;
}

std::span<const Candidate> Sampler::Distribution(std::span<const float> logits,
                                                 const SampleContext& context) {
  candidates_.clear();
  const std::span<const float> row = EditRow(logits, context);
  if (options_.temperature == 0) {
    const std::optional<int32_t> best = ArgMax(row);
    if (best) candidates_.push_back({*best, row[*best], 1.0});
    return candidates_;
  }
  SelectTopK(row);
  if (candidates_.empty()) return candidates_;
  ComputeProbabilities();
  if (options_.top_p < 1) KeepTopP();
  if (options_.min_p > 0) KeepMinP();
  if (options_.typical_p < 1) KeepTypical();
  return candidates_;
}

// The row after steps 1 to 4: the caller's own where nothing changes, else a copy.
std::span<const float> Sampler::EditRow(std::span<const float> logits,
                                        const SampleContext& context) {
  const bool penalties = (options_.repeat_penalty != 1.0 && options_.repeat_last_n != 0) ||
                         options_.frequency_penalty != 0 || options_.presence_penalty != 0;
  const bool dry = options_.dry_multiplier != 0 && options_.dry_penalty_last_n != 0;
  const bool removed = !context.banned.empty() || !context.allowed.empty();
  if (!penalties && !dry && !removed && options_.logit_bias.empty()) return logits;
  Remove(logits, context);
  AddBiases();
  if (penalties) Penalize(context);
  if (dry) PenalizeRepetition(context);
  return edited_;
}

// Copies the row, but for what may not be drawn.
void Sampler::Remove(std::span<const float> logits, const SampleContext& context) {
  if (context.allowed.empty()) {
    edited_.assign(logits.begin(), logits.end());
  } else {
    edited_.assign(logits.size(), kNever);
    const size_t words = std::min(context.allowed.size(), (logits.size() + 63) / 64);
    for (size_t word = 0; word < words; ++word) {
      for (uint64_t bits = context.allowed[word]; bits != 0; bits &= bits - 1) {
        const size_t id = word * 64 + static_cast<size_t>(std::countr_zero(bits));
        if (id < logits.size()) edited_[id] = logits[id];
      }
    }
  }
  for (const int32_t id : context.banned) {
    if (id >= 0 && id < std::ssize(edited_)) edited_[id] = kNever;
  }
}

void Sampler::AddBiases() {
  for (const auto& [id, bias] : options_.logit_bias) {
    if (id >= std::ssize(edited_)) continue;
    edited_[id] = bias <= kMinLogitBias ? kNever : edited_[id] + static_cast<float>(bias);
  }
}

// Counts the ids of `tokens` that lie in the row.
void Sampler::AddCounts(std::span<const int32_t> tokens) {
  counts_.resize(std::max(counts_.size(), edited_.size()));
  for (const int32_t id : tokens) {
    if (id < 0 || id >= std::ssize(edited_)) continue;
    if (counts_[id]++ == 0) touched_.push_back(id);
  }
}

// Calls change(logit, count) for every id with a count, and clears the counts.
template <typename Change>
void Sampler::ForEachCounted(Change&& change) {
  for (const int32_t id : touched_) {
    change(edited_[id], counts_[id]);
    counts_[id] = 0;
  }
  touched_.clear();
}

void Sampler::Penalize(const SampleContext& context) {
  const std::span<const int32_t> tokens = context.tokens;
  if (options_.repeat_penalty != 1.0) {
    AddCounts(LastTokens(tokens, options_.repeat_last_n));
    const float penalty = static_cast<float>(options_.repeat_penalty);
    ForEachCounted(
        [&](float& logit, int32_t) { logit = logit > 0 ? logit / penalty : logit * penalty; });
  }
  if (options_.frequency_penalty != 0 || options_.presence_penalty != 0) {
    const size_t begin = std::clamp<int64_t>(context.answer_begin, 0, std::ssize(tokens));
    AddCounts(tokens.subspan(begin));
    ForEachCounted([&](float& logit, int32_t count) {
      logit -= static_cast<float>(options_.frequency_penalty * count + options_.presence_penalty);
    });
  }
}

// The counts are lengths here: of the longest repetition that each id would go on with.
void Sampler::PenalizeRepetition(const SampleContext& context) {
  const std::span<const int32_t> tokens = LastTokens(context.tokens, options_.dry_penalty_last_n);
  const TokenSet* breakers = options_.dry_breakers.get();
  const std::span<const int32_t> lengths = repetition_.Find(tokens, breakers);
  counts_.resize(std::max(counts_.size(), edited_.size()));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int32_t id = tokens[i];
    if (lengths[i] < options_.dry_allowed_length || id < 0 || id >= std::ssize(edited_)) continue;
    if (breakers != nullptr && breakers->Contains(id)) continue;
    if (counts_[id] == 0) touched_.push_back(id);
    counts_[id] = std::max(counts_[id], lengths[i]);
  }
  ForEachCounted([&](float& logit, int32_t length) {
    const double growth =
        std::pow(options_.dry_base, static_cast<double>(length - options_.dry_allowed_length));
    logit -= static_cast<float>(std::min(options_.dry_multiplier * growth, kMaxPenalty));
  });
}

// Fills candidates_ with the top_k best logits above -inf, in one pass: the buffer grows to twice k
// and is then cut back to the k best, whose worst becomes the bar to enter. Best first, or in id
// order when top_k keeps all: never in an order that depends on the library's algorithms.
void Sampler::SelectTopK(std::span<const float> logits) {
  const bool all = options_.top_k == 0 || options_.top_k >= std::ssize(logits);
  const size_t k = all ? logits.size() : static_cast<size_t>(options_.top_k);
  const size_t limit = all ? logits.size() : 2 * k + 64;
  const auto cut = [&] {
    if (candidates_.size() <= k) return;
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<int64_t>(k) - 1,
                     candidates_.end(), Better);
    candidates_.resize(k);
  };
  float bar = kNever;  // a later id must exceed the worst kept logit: ties go to the lower id
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!(logits[id] > bar)) continue;
    candidates_.push_back({static_cast<int32_t>(id), logits[id], 0});
    if (all || candidates_.size() < limit) continue;
    cut();
    bar = candidates_.back().logit;
  }
  if (all) return;
  cut();
  std::sort(candidates_.begin(), candidates_.end(), Better);
}

// Probabilities of the candidates at the temperature. +inf takes everything.
void Sampler::ComputeProbabilities() {
  const auto best = std::min_element(candidates_.begin(), candidates_.end(), Better);
  const double max = best->logit;
  for (Candidate& c : candidates_) {
    // A product of an infinite difference would be NaN for +inf itself, hence the comparison.
    c.probability = c.logit == best->logit ? 1.0 : std::exp((c.logit - max) / options_.temperature);
  }
  const double sum = SumProbabilities(candidates_);
  for (Candidate& c : candidates_) c.probability /= sum;
}

// Cuts candidates_ to its first `keep` and renormalizes.
void Sampler::Truncate(size_t keep) {
  candidates_.resize(std::max<size_t>(keep, 1));
  const double sum = SumProbabilities(candidates_);
  for (Candidate& c : candidates_) c.probability /= sum;
}

// Sorts only as much of the distribution as the mass p needs: a prefix that grows eightfold.
void Sampler::KeepTopP() {
  double sum = 0;
  for (size_t begin = 0, end = 64; begin < candidates_.size(); begin = end, end *= 8) {
    end = std::min(end, candidates_.size());
    const auto first = candidates_.begin() + static_cast<int64_t>(begin);
    std::partial_sort(first, candidates_.begin() + static_cast<int64_t>(end), candidates_.end(),
                      Better);
    for (size_t i = begin; i < end; ++i) {
      sum += candidates_[i].probability;
      if (sum >= options_.top_p) return Truncate(i + 1);
    }
  }
}

void Sampler::KeepMinP() {
  const auto best = std::min_element(candidates_.begin(), candidates_.end(), Better);
  const double bar = best->probability * options_.min_p;
  const auto end = std::stable_partition(candidates_.begin(), candidates_.end(),
                                         [&](const Candidate& c) { return c.probability >= bar; });
  Truncate(static_cast<size_t>(end - candidates_.begin()));
}

void Sampler::KeepTypical() {
  double entropy = 0;
  for (const Candidate& c : candidates_) {
    if (c.probability > 0) entropy -= c.probability * std::log(c.probability);
  }
  const auto distance = [&](const Candidate& c) {
    return c.probability > 0 ? std::abs(-std::log(c.probability) - entropy)
                             : std::numeric_limits<double>::infinity();
  };
  std::vector<std::pair<double, Candidate>> order;
  order.reserve(candidates_.size());
  for (const Candidate& c : candidates_) order.emplace_back(distance(c), c);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : Better(a.second, b.second);
  });
  double sum = 0;
  size_t keep = 0;
  for (; keep < order.size() && (keep == 0 || sum < options_.typical_p); ++keep) {
    sum += order[keep].second.probability;
    candidates_[keep] = order[keep].second;
  }
  Truncate(keep);
}

// Keeps the order of what is left. A probability of 0 can always be excluded but never be the one
// that stays, or nothing could be drawn.
void Sampler::ExcludeTopChoices() {
  const auto likely = [&](const Candidate& c) {
    return c.probability > 0 && c.probability >= options_.xtc_threshold;
  };
  const Candidate* last = nullptr;
  for (const Candidate& c : candidates_) {
    if (likely(c) && (last == nullptr || Better(*last, c))) last = &c;
  }
  if (last == nullptr) return;
  const int32_t stays = last->id;
  std::erase_if(candidates_, [&](const Candidate& c) { return likely(c) && c.id != stays; });
  Truncate(candidates_.size());
}

}  // namespace ringlet
