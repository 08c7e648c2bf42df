#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/format.h"

namespace ringlet::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kFirstLine = std::chrono::seconds(2);
constexpr auto kNextLine = std::chrono::seconds(5);

std::string Amount(ProgressUnit unit, double value) {
  const auto whole = static_cast<uint64_t>(value);
  return unit == ProgressUnit::kBytes ? FormatBytes(whole) : FormatCount(whole);
}

}  // namespace

std::string RenderProgress(std::string_view label, ProgressUnit unit, uint64_t done, uint64_t total,
                           double seconds, int width) {
  done = std::min(done, total);
  const double fraction = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  const std::string head = fmt::format("{} {:3.0f}%", label, std::floor(fraction * 100));
  std::string tail;
  if (unit != ProgressUnit::kShare) {
    tail = fmt::format(" {} of {}", Amount(unit, static_cast<double>(done)),
                       Amount(unit, static_cast<double>(total)));
  }
  if (unit == ProgressUnit::kTokens) tail += " tokens";
  if (done > 0 && seconds > 0) {
    const double rate = static_cast<double>(done) / seconds;
    if (unit != ProgressUnit::kShare) tail += fmt::format(", {}/s", Amount(unit, rate));
    if (done < total) {
      tail += fmt::format(", {} left", FormatDuration(static_cast<double>(total - done) / rate));
    }
  }
  const int room = width - static_cast<int>(head.size() + tail.size()) - 3;
  if (room >= 10) {
    const int bar = std::min(room, 30);
    const int filled = static_cast<int>(fraction * bar);
    return fmt::format("{} [{:<{}}]{}", head, std::string(static_cast<size_t>(filled), '='), bar,
                       tail);
  }
  return static_cast<int>(head.size() + tail.size()) <= width ? head + tail : head;
}

ProgressLine::ProgressLine(bool quiet)
    : active_(!quiet),
      terminal_(DetectTerminal(stderr)),
      next_(terminal_.tty ? Clock::now() : Clock::now() + kFirstLine) {}

bool ProgressLine::Due() { return active_ && Clock::now() >= next_; }

void ProgressLine::Draw(std::string_view line) {
  if (!active_) return;
  if (terminal_.tty) {
    fmt::print(stderr, "\r{}\x1b[K", line);
    drawn_ = true;
    next_ = Clock::now() + kRedraw;
  } else {
    fmt::print(stderr, "{}\n", line);
    next_ = Clock::now() + kNextLine;
  }
  std::fflush(stderr);
}

void ProgressLine::Finish() {
  if (drawn_) {
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
  }
  drawn_ = false;
  active_ = false;
}

Progress::Progress(std::string label, ProgressUnit unit, bool quiet)
    : label_(std::move(label)),
      unit_(unit),
      begin_(std::chrono::steady_clock::now()),
      line_(quiet) {}

void Progress::Update(uint64_t done, uint64_t total) {
  if (!line_.Due()) return;
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  line_.Draw(RenderProgress(label_, unit_, done, total, seconds, line_.width()));
}

}  // namespace ringlet::cli
