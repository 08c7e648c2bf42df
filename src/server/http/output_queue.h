// Bytes on their way to a socket, and how long the client has made them wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace ringlet::http {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

struct OutputLimits {
  size_t buffer_bytes = size_t{256} << 10;
  std::chrono::milliseconds stall{30000};
  size_t min_bytes_per_second = 1024;
};

class OutputQueue {
 public:
  explicit OutputQueue(const OutputLimits& limits) : limits_(limits) {}

  void Push(std::string bytes, TimePoint now);
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // The bytes to write next.
  std::string_view Front() const;
  // `bytes` of Front() were written.
  void Advance(size_t bytes, TimePoint now);
  // Nothing more will be pushed: the rest has to leave at the minimum rate.
  void Finish(TimePoint now);

  // The client is too slow when this has come: nothing left for the time of a stall, or more than
  // the buffer's size waited all that time, or the rest of a finished answer trickles.
  std::optional<TimePoint> Deadline() const;
  // More is waiting than any client is worth, whatever the time.
  bool Overflows() const { return !finished_ && size_ / 16 > limits_.buffer_bytes; }

 private:
  OutputLimits limits_;
  std::deque<std::string> segments_;
  size_t offset_ = 0;  // written bytes of the first segment
  size_t size_ = 0;
  TimePoint progress_;                   // when a byte last left, or the queue was last empty
  std::optional<TimePoint> over_since_;  // when the queue became larger than the buffer
  std::optional<TimePoint> finished_;    // when the rest must have left
};

}  // namespace ringlet::http
