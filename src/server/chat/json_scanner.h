// Follows a JSON document byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ringlet::server {

// Accepts the documents of ParseJson, but for two things: raw control characters in strings, which
// models write and EscapeControl mends, and what only shows in whole documents (equal keys, escaped
// halves of characters).
class JsonScanner {
 public:
  // What a byte was. The quotes of a string are its open and close.
  enum class Event {
    kError,  // the byte cannot follow; the scanner is of no further use
    kSpace,
    kOpen,
    kClose,
    kColon,
    kComma,
    kStringOpen,
    kStringPart,
    kStringClose,
    kScalar,  // of a number, true, false or null
  };
  static constexpr size_t kMaxDepth = 64;

  Event Push(char c);
  // Objects and arrays that are open.
  size_t depth() const { return objects_.size(); }
  // Of the string that is open or was closed last: whether it is the key of a member.
  bool string_is_key() const { return string_is_key_; }
  // A whole object, array or string has been read.
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : uint8_t {
    kValue,
    kFirstElement,  // a value or ]
    kFirstKey,      // a key or }
    kKey,
    kColon,
    kAfter,  // a comma or a close
    kString,
    kEscape,
    kUnicode,
    kNumber,
    kLiteral,
    kDone,
  };
  enum class Number : uint8_t { kMinus, kZero, kInteger, kPoint, kFraction, kE, kSign, kExponent };

  Event Structure(char c);
  Event Value(char c);
  Event Open(bool object);
  Event Close(bool object);
  Event StringOpen(bool key);
  Event InString(char c);
  // False when `c` does not belong to the number.
  bool InNumber(char c);
  void EndValue();

  State state_ = State::kValue;
  Number number_ = Number::kMinus;
  std::vector<bool> objects_;  // whether each open one is an object
  bool string_is_key_ = false;
  int unicode_left_ = 0;
  std::string_view literal_left_;
};

// The escape of a control character, as JSON wants it in strings; empty for other bytes.
std::string_view EscapeControl(char c);

}  // namespace ringlet::server
