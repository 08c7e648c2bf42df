#include "engine/step_pace.h"

#include <algorithm>

namespace ringlet {
namespace {

// The weight of a new measurement.
constexpr double kGain = 0.25;

void Blend(double& mean, double value) { mean += mean == 0 ? value : kGain * (value - mean); }

}  // namespace

int64_t StepPace::PromptRows(int64_t answers) const {
  const auto index = static_cast<size_t>(answers);
  if (index >= alone_.size() || alone_[index].age >= kStale) return 0;
  if (row_seconds_ <= 0) return kFewest;
  const double spare = (slowdown_ - 1) * alone_[index].seconds;
  return std::max(kFewest, static_cast<int64_t>(std::min(spare / row_seconds_, 1e9)));
}

void StepPace::Measured(int64_t answers, int64_t prompt_rows, double seconds) {
  const auto index = static_cast<size_t>(answers);
  if (index >= alone_.size()) alone_.resize(index + 1);
  Alone& alone = alone_[index];
  if (prompt_rows == 0) {
    Blend(alone.seconds, seconds);
    alone.age = 0;
    return;
  }
  ++alone.age;
  const double extra = answers > 0 ? seconds - alone.seconds : seconds;
  Blend(row_seconds_, std::max(extra, seconds * 0.01) / static_cast<double>(prompt_rows));
}

}  // namespace ringlet
