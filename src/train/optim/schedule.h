// Learning rates by step.
//
// Steps count from 1. The rate rises linearly, so that step `warmup_steps` is the first at the full
// rate, then stays (wsm), stays and falls over the last `decay_steps` (wsd), or falls along half a
// cosine to the last step (cosine). A fall ends at final_share * lr, reached in the last step.
#pragma once

#include <cstdint>

#include "train/config/run_config.h"

namespace ringlet {

// 1 at x = 0, falling to 0 at x = 1: 1 - x, 1 - sqrt(x) or (1 + cos(pi x)) / 2.
double DecayCurve(DecayShape shape, double x);

double LearningRate(const ScheduleSettings& schedule, double lr, int64_t steps, int64_t step);

}  // namespace ringlet
