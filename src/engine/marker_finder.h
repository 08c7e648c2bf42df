// Finds the first of some short texts in a stream.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

// Takes one byte at a time, so that what it says cannot depend on how the text was cut. A text end
// that could become a marker is held back.
class MarkerFinder {
 public:
  MarkerFinder() = default;
  // Empty markers are ignored. Of markers that begin alike the shortest is found.
  explicit MarkerFinder(std::vector<std::string> markers);

  // Appends to `out` what is certainly in no marker. When `byte` completes a marker: its index
  // among the markers given; it is not part of `out`, and nothing is held afterwards.
  std::optional<size_t> Push(char byte, std::string& out);
  // What is held back.
  const std::string& held() const { return held_; }
  // The end of the text: appends what is held.
  void Finish(std::string& out);

 private:
  std::vector<std::string> markers_;
  std::string held_;  // a proper prefix of a marker
};

}  // namespace ringlet
