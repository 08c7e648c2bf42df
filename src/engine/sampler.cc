#include "engine/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace ringlet {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr double kMaxInt32 = 2147483647.0;

using Options = SamplerOptions;

constexpr std::array<SamplerParameter, 9> kParameters = {{
    {"temperature", &Options::temperature, 0, 100, "Divides the logits; 0 takes the best token"},
    {"top_k", &Options::top_k, 0, kMaxInt32, "Keep the k best tokens; 0 keeps all"},
    {"top_p", &Options::top_p, 0, 1,
     "Keep the best tokens whose probabilities reach p; 1 keeps all"},
    {"min_p", &Options::min_p, 0, 1,
     "Drop tokens below p times the best probability; 0 drops none"},
    {"typical_p", &Options::typical_p, 0, 1, "Locally typical sampling with mass p; 1 is off"},
    {"repeat_penalty", &Options::repeat_penalty, 0.1, 10, "Weakens tokens seen before; 1 is off"},
    {"repeat_last_n", &Options::repeat_last_n, -1, kMaxInt32,
     "Tokens that repeat_penalty looks back on; -1 is all"},
    {"frequency_penalty", &Options::frequency_penalty, -2, 2,
     "Subtracted per occurrence in the answer"},
    {"presence_penalty", &Options::presence_penalty, -2, 2,
     "Subtracted once from tokens in the answer"},
}};

// Most probable first; equal logits in id order. Total because NaN never becomes a candidate.
bool Better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

double SumProbabilities(std::span<const Candidate> candidates) {
  double sum = 0;
  for (const Candidate& c : candidates) sum += c.probability;
  return sum;
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

double SamplerParameter::Get(const SamplerOptions& options) const {
  if (is_integer()) return static_cast<double>(options.*std::get<1>(member));
  return options.*std::get<0>(member);
}

std::string SamplerParameter::Range() const {
  if (!is_integer()) return fmt::format("a number from {} to {}", min, max);
  if (max == kMaxInt32) return fmt::format("an integer of at least {}", min);
  return fmt::format("an integer from {} to {}", min, max);
}

std::span<const SamplerParameter> SamplerParameters() { return kParameters; }

const SamplerParameter* FindSamplerParameter(std::string_view name) {
  for (const SamplerParameter& parameter : kParameters) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

Status SetSamplerParameter(SamplerOptions& options, std::string_view name, double value,
                           std::string_view source) {
  const SamplerParameter* parameter = FindSamplerParameter(name);
  if (parameter == nullptr) {
    return BadInput(source, name, "an unknown sampling parameter",
                    "temperature, top_k, top_p, ...");
  }
  const bool in_range = value >= parameter->min && value <= parameter->max;
  if (!in_range || (parameter->is_integer() && value != std::floor(value))) {
    return BadInput(source, name, fmt::format("{}", value), parameter->Range());
  }
  if (parameter->is_integer()) {
    options.*std::get<1>(parameter->member) = static_cast<int64_t>(value);
  } else {
    options.*std::get<0>(parameter->member) = value;
  }
  return Status::Ok();
}

Status ValidateSamplerOptions(const SamplerOptions& options, std::string_view source) {
  SamplerOptions copy = options;
  for (const SamplerParameter& parameter : kParameters) {
    RINGLET_RETURN_IF_ERROR(
        SetSamplerParameter(copy, parameter.name, parameter.Get(options), source));
  }
  return Status::Ok();
}

Sampler::Sampler(const SamplerOptions& options) : options_(options), rng_(options.seed) {
  const Status status = ValidateSamplerOptions(options, "sampler");
  RINGLET_CHECK(status.ok(), status.message());
}

std::optional<int32_t> Sampler::Sample(std::span<const float> logits,
                                       const SampleContext& context) {
  const std::span<const Candidate> candidates = Distribution(logits, context);
  if (candidates.empty()) return std::nullopt;
  if (options_.temperature == 0) return candidates.front().id;
  double rest = rng_.Uniform() * SumProbabilities(candidates);
  for (const Candidate& c : candidates) {
    if (rest < c.probability) return c.id;
    rest -= c.probability;
  }
  // Rounding left a remainder: the last token that can be drawn at all.
  const auto last = std::find_if(candidates.rbegin(), candidates.rend(),
                                 [](const Candidate& c) { return c.probability > 0; });
  return last->id;
}

std::span<const Candidate> Sampler::Distribution(std::span<const float> logits,
                                                 const SampleContext& context) {
  candidates_.clear();
  const std::span<const float> row = ApplyPenalties(logits, context);
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

// Counts the ids of `tokens` that lie in the row.
void Sampler::AddCounts(std::span<const int32_t> tokens, int64_t vocab) {
  counts_.resize(std::max<size_t>(counts_.size(), vocab));
  for (const int32_t id : tokens) {
    if (id < 0 || id >= vocab) continue;
    if (counts_[id]++ == 0) touched_.push_back(id);
  }
}

// The row after steps 1 and 2: the caller's own where nothing changes, else a copy.
std::span<const float> Sampler::ApplyPenalties(std::span<const float> logits,
                                               const SampleContext& context) {
  const bool repeat = options_.repeat_penalty != 1.0 && options_.repeat_last_n != 0;
  const bool answer = options_.frequency_penalty != 0 || options_.presence_penalty != 0;
  if (!repeat && !answer && context.banned.empty()) return logits;
  const int64_t vocab = static_cast<int64_t>(logits.size());
  const std::span<const int32_t> tokens = context.tokens;
  edited_.assign(logits.begin(), logits.end());

  const auto for_each_counted = [&](auto&& change) {
    for (const int32_t id : touched_) {
      change(edited_[id], counts_[id]);
      counts_[id] = 0;
    }
    touched_.clear();
  };
  if (repeat) {
    const size_t window = options_.repeat_last_n < 0
                              ? tokens.size()
                              : std::min<size_t>(tokens.size(), options_.repeat_last_n);
    AddCounts(tokens.last(window), vocab);
    const float penalty = static_cast<float>(options_.repeat_penalty);
    for_each_counted(
        [&](float& logit, int32_t) { logit = logit > 0 ? logit / penalty : logit * penalty; });
  }
  if (answer) {
    const size_t begin = std::clamp<int64_t>(context.answer_begin, 0, std::ssize(tokens));
    AddCounts(tokens.subspan(begin), vocab);
    for_each_counted([&](float& logit, int32_t count) {
      logit -= static_cast<float>(options_.frequency_penalty * count + options_.presence_penalty);
    });
  }
  for (const int32_t id : context.banned) {
    if (id >= 0 && id < vocab) edited_[id] = kNever;
  }
  return edited_;
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

}  // namespace ringlet
