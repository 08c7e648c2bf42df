// Tokens that are found in the text as they are, before it is cut into pieces.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

struct AddedToken {
  int32_t id = 0;
  std::string content;       // not empty
  bool special = false;      // controls the model; never produced from plain text
  bool single_word = false;  // only between characters that are not of a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space after it
  bool normalized = false;   // matched in the normalized text
};

// Part of a text: one added token, or (id -1) what lies between.
struct TextSegment {
  int32_t id = -1;
  std::string_view text;
};

// Finds added tokens, leftmost first, the longest of those that begin at one place. Immutable.
class AddedTokenMatcher {
 public:
  // Bounds the work at one position of the text.
  static constexpr size_t kMaxContentBytes = 1024;

  AddedTokenMatcher() = default;
  // Of tokens with equal content one is found.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  // `text` as segments, in order; no segment of plain text is empty.
  std::vector<TextSegment> Split(std::string_view text) const;

 private:
  // The longest token that `text` begins with, or nullptr.
  const AddedToken* Match(std::string_view text) const;

  std::vector<AddedToken> tokens_;  // sorted by content
  // tokens_[first_[b], first_[b + 1]) begin with byte b.
  std::array<uint32_t, 257> first_{};
};

}  // namespace ringlet
