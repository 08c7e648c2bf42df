// SpikeGuard: which steps are not taken.
//
// The rule. A step whose loss or gradient norm is NaN or infinite is skipped. So is one whose norm
// is larger than `factor` times the median norm of the last `window` steps that were taken, once
// there are `min_samples` of those: a median, because one spike moves a mean and a deviation for as
// long as it stays in the window. Skipped steps never enter the window. After `max_skips` skipped
// steps in a row the norms have changed for good: a spike is then taken (clipping still bounds it)
// and the window starts again with it; a step that is not finite ends the run.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "train/config/run_config.h"

namespace ringlet {

enum class StepVerdict { kTake, kSkipSpike, kSkipNotFinite, kStop };
// "taken", "spike", "not finite", "stopped".
std::string_view Name(StepVerdict verdict);

class SpikeGuard {
 public:
  explicit SpikeGuard(const GuardSettings& settings) : settings_(settings) {}

  // Judges the next step and remembers it.
  StepVerdict Judge(double loss, double norm);
  // Of the window; 0 when it is empty.
  double Median() const;

  // What a checkpoint keeps: equal states judge equally.
  Json State() const;
  // Errors name `source`.
  Status Restore(const Json& state, const std::string& source);

 private:
  GuardSettings settings_;
  std::deque<double> norms_;  // oldest first
  int64_t skipped_ = 0;       // in a row
};

// The factor for a gradient of this norm: max_norm / norm where that is below 1. `max_norm` 0: 1.
double ClipScale(double norm, double max_norm);

}  // namespace ringlet
