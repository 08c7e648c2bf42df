#include "cli/train_progress.h"

#include <gtest/gtest.h>

namespace ringlet::cli {
namespace {

TEST(TrainProgressTest, SaysMoreWhereThereIsRoom) {
  StepRecord step;
  step.step = 1200;
  step.loss = 3.45123;
  step.lr = 3e-4;
  step.grad_norm = 0.8125;
  step.tokens_per_second = 19520;
  step.peak_share = 0.468;
  step.memory_bytes = uint64_t{3} << 29;
  EXPECT_EQ(RenderTrainProgress(step, 10'000, 0.85, 200),
            "step 1,200/10,000  loss 3.4512  19.52k tok/s (47% of peak)  2 h 4 min left  1.5 GiB  "
            "lr 3.0e-04  norm 0.812");
  EXPECT_EQ(RenderTrainProgress(step, 10'000, 0.85, 62),
            "step 1,200/10,000  loss 3.4512  19.52k tok/s (47% of peak)");
  EXPECT_EQ(RenderTrainProgress(step, 10'000, 0.85, 5), "step 1,200/10,000");
  step.skipped = "spike";
  step.peak_share = 0;
  step.memory_bytes = 0;
  EXPECT_EQ(RenderTrainProgress(step, 1200, 0, 50),
            "step 1,200/1,200  skipped: spike  19.52k tok/s");
}

}  // namespace
}  // namespace ringlet::cli
