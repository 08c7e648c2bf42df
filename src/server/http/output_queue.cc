#include "server/http/output_queue.h"

#include <algorithm>
#include <utility>

namespace ringlet::http {
namespace {

constexpr size_t kSegmentBytes = size_t{64} << 10;

}  // namespace

void OutputQueue::Push(std::string bytes, TimePoint now) {
  if (bytes.empty()) return;
  if (empty()) progress_ = now;
  size_ += bytes.size();
  if (!segments_.empty() && segments_.back().size() + bytes.size() <= kSegmentBytes) {
    segments_.back() += bytes;
  } else {
    segments_.push_back(std::move(bytes));
  }
  if (size_ > limits_.buffer_bytes && !over_since_) over_since_ = now;
}

std::string_view OutputQueue::Front() const {
  return segments_.empty() ? std::string_view()
                           : std::string_view(segments_.front()).substr(offset_);
}

void OutputQueue::Advance(size_t bytes, TimePoint now) {
  if (bytes > 0) progress_ = now;
  size_ -= bytes;
  offset_ += bytes;
  if (!segments_.empty() && offset_ == segments_.front().size()) {
    segments_.pop_front();
    offset_ = 0;
  }
  if (size_ <= limits_.buffer_bytes) over_since_.reset();
}

void OutputQueue::Finish(TimePoint now) {
  finished_ = now + limits_.stall +
              std::chrono::seconds(size_ / std::max<size_t>(1, limits_.min_bytes_per_second));
}

std::optional<TimePoint> OutputQueue::Deadline() const {
  if (empty()) return std::nullopt;
  TimePoint deadline = progress_ + limits_.stall;
  if (finished_) return std::min(deadline, *finished_);
  return over_since_ ? std::min(deadline, *over_since_ + limits_.stall) : deadline;
}

}  // namespace ringlet::http
