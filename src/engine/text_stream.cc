#include "engine/text_stream.h"

#include <algorithm>

#include "io/utf8.h"

namespace ringlet {

void Utf8Stream::Append(std::string_view bytes, std::string& out) {
  held_ += bytes;
  const size_t decided = held_.size() - IncompleteUtf8Suffix(held_);
  out += ReplaceInvalidUtf8(std::string_view(held_).substr(0, decided));
  held_.erase(0, decided);
}

void Utf8Stream::Finish(std::string& out) {
  out += ReplaceInvalidUtf8(held_);
  held_.clear();
}

TextStream::TextStream(const std::vector<std::string>& stops) {
  // Repaired like the text itself: a stop then matches whole characters or nothing.
  for (const std::string& stop : stops) {
    if (!stop.empty()) stops_.push_back(ReplaceInvalidUtf8(stop));
  }
  std::stable_sort(stops_.begin(), stops_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

void TextStream::Append(std::string_view bytes, std::string& out) {
  std::string text;
  utf8_.Append(bytes, text);
  Match(text, out);
}

void TextStream::Finish(std::string& out) {
  std::string text;
  utf8_.Finish(text);
  Match(text, out);
  if (!stopped()) out += pending_;
  pending_.clear();
}

void TextStream::Match(std::string_view text, std::string& out) {
  if (stopped()) return;
  if (stops_.empty()) {
    out += text;
    return;
  }
  for (const char byte : text) {
    pending_.push_back(byte);
    for (const std::string& stop : stops_) {  // longest first
      if (!pending_.ends_with(stop)) continue;
      stop_ = stop;
      out.append(pending_, 0, pending_.size() - stop.size());
      pending_.clear();
      return;
    }
  }
  const size_t final_bytes = pending_.size() - HeldBytes();
  out.append(pending_, 0, final_bytes);
  pending_.erase(0, final_bytes);
}

// The longest end of pending_ that begins a stop string.
size_t TextStream::HeldBytes() const {
  size_t held = 0;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, pending_.size()); n > held; --n) {
      if (pending_.ends_with(std::string_view(stop).substr(0, n))) held = n;
    }
  }
  return held;
}

}  // namespace ringlet
