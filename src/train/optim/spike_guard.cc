#include "train/optim/spike_guard.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ringlet {

std::string_view Name(StepVerdict verdict) {
  switch (verdict) {
    case StepVerdict::kTake:
      return "taken";
    case StepVerdict::kSkipSpike:
      return "spike";
    case StepVerdict::kSkipNotFinite:
      return "not finite";
    case StepVerdict::kStop:
      return "stopped";
  }
  return "";
}

double SpikeGuard::Median() const {
  if (norms_.empty()) return 0;
  std::vector<double> sorted(norms_.begin(), norms_.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

StepVerdict SpikeGuard::Judge(double loss, double norm) {
  const bool last_chance = skipped_ >= settings_.max_skips;
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    ++skipped_;
    return last_chance ? StepVerdict::kStop : StepVerdict::kSkipNotFinite;
  }
  const bool judged =
      settings_.factor > 0 && static_cast<int64_t>(norms_.size()) >= settings_.min_samples;
  if (judged && norm > settings_.factor * Median()) {
    if (!last_chance) {
      ++skipped_;
      return StepVerdict::kSkipSpike;
    }
    norms_.clear();
  }
  skipped_ = 0;
  norms_.push_back(norm);
  if (static_cast<int64_t>(norms_.size()) > settings_.window) norms_.pop_front();
  return StepVerdict::kTake;
}

Json SpikeGuard::State() const {
  return {{"norms", std::vector<double>(norms_.begin(), norms_.end())}, {"skipped", skipped_}};
}

Status SpikeGuard::Restore(const Json& state, const std::string& source) {
  const auto fail = [&](std::string_view field, std::string_view expected) {
    return BadInput(source, field, state.is_object() ? "something else" : JsonBrief(state),
                    expected);
  };
  if (!state.is_object() || !state.contains("norms") || !state.contains("skipped")) {
    return fail("guard", "an object with norms and skipped");
  }
  const Json& norms = state["norms"];
  const Json& skipped = state["skipped"];
  if (!norms.is_array() || static_cast<int64_t>(norms.size()) > settings_.window ||
      !std::ranges::all_of(norms, [](const Json& norm) { return norm.is_number(); })) {
    return fail("guard.norms", "at most as many numbers as the window has");
  }
  if (!skipped.is_number_unsigned()) return fail("guard.skipped", "a count");
  norms_.clear();
  for (const Json& norm : norms) norms_.push_back(norm.get<double>());
  skipped_ = skipped.get<int64_t>();
  return Status::Ok();
}

double ClipScale(double norm, double max_norm) {
  return max_norm > 0 && norm > max_norm ? max_norm / norm : 1.0;
}

}  // namespace ringlet
