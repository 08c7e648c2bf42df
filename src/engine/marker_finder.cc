#include "engine/marker_finder.h"

#include <algorithm>
#include <utility>

namespace ringlet {

MarkerFinder::MarkerFinder(std::vector<std::string> markers) : markers_(std::move(markers)) {}

std::optional<size_t> MarkerFinder::Push(char byte, std::string& out) {
  held_ += byte;
  // The longest end of the text that begins a marker stays; at most a marker's length is tried.
  for (size_t begin = 0; begin < held_.size(); ++begin) {
    const std::string_view end = std::string_view(held_).substr(begin);
    const auto begins = [&](const std::string& marker) { return marker.starts_with(end); };
    if (std::ranges::none_of(markers_, begins)) continue;
    out.append(held_, 0, begin);
    const auto whole = std::ranges::find(markers_, end);
    if (whole == markers_.end()) {
      held_.erase(0, begin);
      return std::nullopt;
    }
    held_.clear();
    return static_cast<size_t>(whole - markers_.begin());
  }
  out += std::exchange(held_, std::string());
  return std::nullopt;
}

void MarkerFinder::Finish(std::string& out) { out += std::exchange(held_, std::string()); }

}  // namespace ringlet
