// The line that shows how a training run gets on.
#pragma once

#include <string>

#include "cli/progress.h"
#include "train/log/run_log.h"

namespace ringlet::cli {

// "step 1,200/10,000  loss 3.4512  1.95k tok/s (47% of peak)  2 h 5 min left  1.2 GiB  lr 3.0e-04",
// without an end of line. Parts at the end are left out where `width` columns have no room for
// them; a skipped step says why instead of its loss. The time left counts the steps to
// `total_steps` at `seconds_per_step`; not positive: unknown, and not shown.
std::string RenderTrainProgress(const StepRecord& step, int64_t total_steps,
                                double seconds_per_step, int width);

// That line on stderr, with a rate that follows the last steps. Skipped steps are not missed.
class TrainProgress {
 public:
  TrainProgress(int64_t total_steps, bool quiet) : total_steps_(total_steps), line_(quiet) {}
  void Show(const StepRecord& step);

 private:
  int64_t total_steps_;
  ProgressLine line_;
  double last_seconds_ = -1;
  double seconds_per_step_ = 0;
};

}  // namespace ringlet::cli
