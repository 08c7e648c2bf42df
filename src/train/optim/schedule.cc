#include "train/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ringlet {

double DecayCurve(DecayShape shape, double x) {
  switch (shape) {
    case DecayShape::kLinear:
      return 1.0 - x;
    case DecayShape::kSqrt:
      return 1.0 - std::sqrt(x);
    case DecayShape::kCosine:
      return 0.5 * (1.0 + std::cos(std::numbers::pi * x));
  }
  return 1.0;
}

double LearningRate(const ScheduleSettings& schedule, double lr, int64_t steps, int64_t step) {
  RINGLET_CHECK(step >= 1, "steps count from 1");
  if (step < schedule.warmup_steps) {
    return lr * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  }
  int64_t falling = 0;
  DecayShape shape = schedule.decay;
  if (schedule.kind == ScheduleKind::kWsd) falling = schedule.decay_steps;
  if (schedule.kind == ScheduleKind::kCosine) {
    falling = steps - schedule.warmup_steps;
    shape = DecayShape::kCosine;
  }
  const int64_t fallen = std::clamp<int64_t>(step - (steps - falling), 0, falling);
  if (fallen == 0) return lr;
  const double x = static_cast<double>(fallen) / static_cast<double>(falling);
  return lr * (schedule.final_share + (1.0 - schedule.final_share) * DecayCurve(shape, x));
}

}  // namespace ringlet
