// Text that arrives as bytes of tokens, made fit to show: whole UTF-8 characters, cut at the first
// stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

// Repairs a byte stream to valid UTF-8. A character split over several calls is held back until it
// is whole; every maximal invalid part becomes one U+FFFD.
class Utf8Stream {
 public:
  // Appends to `out` what is final.
  void Append(std::string_view bytes, std::string& out);
  // The end of the stream: an unfinished character becomes U+FFFD.
  void Finish(std::string& out);

 private:
  std::string held_;  // a proper prefix of one character
};

// A Utf8Stream that ends at the first stop string. Text that could be the beginning of a stop
// string is held back until it is decided. The stop that is complete first wins, of those the
// longest; the outcome does not depend on how the bytes were cut into calls.
class TextStream {
 public:
  // Empty stop strings are ignored.
  explicit TextStream(const std::vector<std::string>& stops);

  // Appends to `out` the text that is final. After a stop nothing more comes out.
  void Append(std::string_view bytes, std::string& out);
  void Finish(std::string& out);

  bool stopped() const { return !stop_.empty(); }
  // The stop string that was found, or empty. It is not part of the text.
  const std::string& stop() const { return stop_; }

 private:
  void Match(std::string_view text, std::string& out);
  size_t HeldBytes() const;

  std::vector<std::string> stops_;
  Utf8Stream utf8_;
  std::string pending_;
  std::string stop_;
};

}  // namespace ringlet
