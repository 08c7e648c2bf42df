// Progress of what takes more than a moment.
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

// A line on stderr that changes: on a terminal it is redrawn and finally erased; otherwise a plain
// line every few seconds. Nothing when quiet.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ~ProgressLine() { Finish(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Whether it is time to draw again: at most ten times a second. Cheap.
  bool Due();
  // One column stays free: writing the last one wraps on some terminals.
  int width() const { return terminal_.width - 1; }
  void Draw(std::string_view line);
  // Erases the line. Nothing is due any more.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;

  bool active_;
  Terminal terminal_;
  Clock::time_point next_;  // when to draw again
  bool drawn_ = false;
};

class Progress {
 public:
  Progress(std::string label, ProgressUnit unit, bool quiet);

  // Cheap to call often.
  void Update(uint64_t done, uint64_t total);
  void Finish() { line_.Finish(); }

 private:
  std::string label_;
  ProgressUnit unit_;
  std::chrono::steady_clock::time_point begin_;
  ProgressLine line_;
};

}  // namespace ringlet::cli
