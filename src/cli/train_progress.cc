#include "cli/train_progress.h"

#include <vector>

#include <fmt/format.h>

#include "base/format.h"
#include "base/svg.h"

namespace ringlet::cli {

std::string RenderTrainProgress(const StepRecord& step, int64_t total_steps,
                                double seconds_per_step, int width) {
  std::vector<std::string> parts;
  parts.push_back(step.skipped.empty() ? fmt::format("loss {:.4f}", step.loss)
                                       : fmt::format("skipped: {}", step.skipped));
  std::string speed = ShortAmount(step.tokens_per_second) + " tok/s";
  if (step.peak_share > 0) speed += fmt::format(" ({:.0f}% of peak)", 100 * step.peak_share);
  parts.push_back(std::move(speed));
  if (seconds_per_step > 0 && total_steps > step.step) {
    const double left = seconds_per_step * static_cast<double>(total_steps - step.step);
    parts.push_back(FormatDuration(left) + " left");
  }
  if (step.memory_bytes > 0) parts.push_back(FormatBytes(step.memory_bytes));
  parts.push_back(fmt::format("lr {:.1e}", step.lr));
  parts.push_back(fmt::format("norm {:.3g}", step.grad_norm));
  std::string line = fmt::format("step {}/{}", FormatCount(static_cast<uint64_t>(step.step)),
                                 FormatCount(static_cast<uint64_t>(total_steps)));
  for (const std::string& part : parts) {
    if (line.size() + 2 + part.size() > static_cast<size_t>(width)) break;
    line += "  " + part;
  }
  return line;
}

void TrainProgress::Show(const StepRecord& step) {
  constexpr double kFollow = 0.1;
  if (last_seconds_ >= 0) {
    const double seconds = step.seconds - last_seconds_;
    seconds_per_step_ += seconds_per_step_ > 0 ? kFollow * (seconds - seconds_per_step_) : seconds;
  }
  last_seconds_ = step.seconds;
  if (!line_.Due() && step.skipped.empty()) return;
  line_.Draw(RenderTrainProgress(step, total_steps_, seconds_per_step_, line_.width()));
}

}  // namespace ringlet::cli
