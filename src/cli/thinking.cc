#include "cli/thinking.h"

#include <algorithm>
#include <utility>

namespace ringlet::cli {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kSpace = " \t\r\n";

// Bytes at the end of `text` that could begin `tag`.
size_t PartialTag(std::string_view text, std::string_view tag) {
  for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n) {
    if (text.ends_with(tag.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

bool EndsInThinking(std::string_view prompt) {
  const size_t last = prompt.find_last_not_of(kSpace);
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(kOpen);
}

ThinkingStream::ThinkingStream(bool thinking, Sink sink)
    : state_(thinking ? State::kThinking : State::kStart), sink_(std::move(sink)) {}

void ThinkingStream::Emit(size_t bytes, bool thinking) {
  if (bytes > 0) sink_(std::string_view(pending_).substr(0, bytes), thinking);
  pending_.erase(0, bytes);
}

void ThinkingStream::Append(std::string_view text) {
  pending_ += text;
  if (state_ == State::kStart) {
    const size_t first = std::min(pending_.find_first_not_of(kSpace), pending_.size());
    const std::string_view rest = std::string_view(pending_).substr(first);
    if (rest.size() < kOpen.size() && kOpen.starts_with(rest)) return;
    if (rest.starts_with(kOpen)) {
      pending_.erase(0, first + kOpen.size());
      state_ = State::kThinking;
    } else {
      state_ = State::kAnswer;
    }
  }
  if (state_ == State::kThinking) {
    const size_t close = pending_.find(kClose);
    if (close == std::string::npos) {
      return Emit(pending_.size() - PartialTag(pending_, kClose), true);
    }
    Emit(close, true);
    pending_.erase(0, kClose.size());
    state_ = State::kAnswer;
  }
  Emit(pending_.size(), false);
}

void ThinkingStream::Finish() { Emit(pending_.size(), state_ == State::kThinking); }

}  // namespace ringlet::cli
