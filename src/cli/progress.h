// A progress bar on stderr: on a terminal one line that is redrawn and finally erased; otherwise a
// plain line every few seconds. Nothing when quiet.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "cli/terminal.h"

namespace ringlet::cli {

// kShare: of work without a unit of its own; only the percentage and the time left are shown.
enum class ProgressUnit { kBytes, kTokens, kShare };

// One line without its end: "Packing  45% [====>     ] 1.2 GiB of 2.6 GiB, 310.0 MiB/s, 5 s left".
// At most `width` columns (at least the label and the percentage).
std::string RenderProgress(std::string_view label, ProgressUnit unit, uint64_t done, uint64_t total,
                           double seconds, int width);

class Progress {
 public:
  Progress(std::string label, ProgressUnit unit, bool quiet);
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Cheap to call often: draws at most ten times a second.
  void Update(uint64_t done, uint64_t total);
  // Erases the bar. Further updates do nothing.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;

  std::string label_;
  ProgressUnit unit_;
  bool active_;
  Terminal terminal_;
  Clock::time_point begin_;
  Clock::time_point next_;  // when to draw again
  bool drawn_ = false;
};

}  // namespace ringlet::cli
