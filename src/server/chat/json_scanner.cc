#include "server/chat/json_scanner.h"

#include <array>

namespace ringlet::server {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

JsonScanner::Event JsonScanner::Push(char c) {
  switch (state_) {
    case State::kString:
    case State::kEscape:
    case State::kUnicode:
      return InString(c);
    case State::kLiteral:
      if (c != literal_left_.front()) return Event::kError;
      literal_left_.remove_prefix(1);
      if (literal_left_.empty()) EndValue();
      return Event::kScalar;
    case State::kNumber:
      if (InNumber(c)) return Event::kScalar;
      if (number_ != Number::kZero && number_ != Number::kInteger && number_ != Number::kFraction &&
          number_ != Number::kExponent) {
        return Event::kError;
      }
      EndValue();
      return Structure(c);
    default:
      return Structure(c);
  }
}

JsonScanner::Event JsonScanner::Structure(char c) {
  if (IsSpace(c)) return Event::kSpace;
  switch (state_) {
    case State::kFirstElement:
      return c == ']' ? Close(false) : Value(c);
    case State::kValue:
      return Value(c);
    case State::kFirstKey:
      if (c == '}') return Close(true);
      return c == '"' ? StringOpen(true) : Event::kError;
    case State::kKey:
      return c == '"' ? StringOpen(true) : Event::kError;
    case State::kColon:
      state_ = State::kValue;
      return c == ':' ? Event::kColon : Event::kError;
    case State::kAfter:
      if (c == '}' || c == ']') return Close(c == '}');
      state_ = objects_.back() ? State::kKey : State::kValue;
      return c == ',' ? Event::kComma : Event::kError;
    default:
      return Event::kError;
  }
}

JsonScanner::Event JsonScanner::Value(char c) {
  if (c == '{' || c == '[') return Open(c == '{');
  if (c == '"') return StringOpen(false);
  if (c == '-' || IsDigit(c)) {
    number_ = c == '-' ? Number::kMinus : c == '0' ? Number::kZero : Number::kInteger;
    state_ = State::kNumber;
    return Event::kScalar;
  }
  for (const std::string_view literal : {"true", "false", "null"}) {
    if (c != literal.front()) continue;
    literal_left_ = literal.substr(1);
    state_ = State::kLiteral;
    return Event::kScalar;
  }
  return Event::kError;
}

JsonScanner::Event JsonScanner::Open(bool object) {
  if (objects_.size() == kMaxDepth) return Event::kError;
  objects_.push_back(object);
  state_ = object ? State::kFirstKey : State::kFirstElement;
  return Event::kOpen;
}

JsonScanner::Event JsonScanner::Close(bool object) {
  if (objects_.back() != object) return Event::kError;
  objects_.pop_back();
  EndValue();
  return Event::kClose;
}

JsonScanner::Event JsonScanner::StringOpen(bool key) {
  string_is_key_ = key;
  state_ = State::kString;
  return Event::kStringOpen;
}

JsonScanner::Event JsonScanner::InString(char c) {
  if (state_ == State::kUnicode) {
    if (!IsHex(c)) return Event::kError;
    if (--unicode_left_ == 0) state_ = State::kString;
  } else if (state_ == State::kEscape) {
    constexpr std::string_view kEscapes = "\"\\/bfnrtu";
    if (kEscapes.find(c) == std::string_view::npos) return Event::kError;
    state_ = c == 'u' ? State::kUnicode : State::kString;
    unicode_left_ = 4;
  } else if (c == '\\') {
    state_ = State::kEscape;
  } else if (c == '"') {
    if (string_is_key_) {
      state_ = State::kColon;
    } else {
      EndValue();
    }
    return Event::kStringClose;
  }
  return Event::kStringPart;
}

bool JsonScanner::InNumber(char c) {
  const auto to = [this](Number next) {
    number_ = next;
    return true;
  };
  const bool exponent = c == 'e' || c == 'E';
  switch (number_) {
    case Number::kMinus:
      return IsDigit(c) && to(c == '0' ? Number::kZero : Number::kInteger);
    case Number::kInteger:
      if (IsDigit(c)) return true;
      [[fallthrough]];
    case Number::kZero:
      return (c == '.' && to(Number::kPoint)) || (exponent && to(Number::kE));
    case Number::kPoint:
      return IsDigit(c) && to(Number::kFraction);
    case Number::kFraction:
      return IsDigit(c) || (exponent && to(Number::kE));
    case Number::kE:
      if (c == '+' || c == '-') return to(Number::kSign);
      [[fallthrough]];
    case Number::kSign:
      return IsDigit(c) && to(Number::kExponent);
    case Number::kExponent:
      return IsDigit(c);
  }
  return false;
}

void JsonScanner::EndValue() { state_ = objects_.empty() ? State::kDone : State::kAfter; }

std::string_view EscapeControl(char c) {
  static constexpr std::array<std::string_view, 32> kEscapes = {
      "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007",
      "\\b",     "\\t",     "\\n",     "\\u000b", "\\f",     "\\r",     "\\u000e", "\\u000f",
      "\\u0010", "\\u0011", "\\u0012", "\\u0013", "\\u0014", "\\u0015", "\\u0016", "\\u0017",
      "\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c", "\\u001d", "\\u001e", "\\u001f"};
  const unsigned char byte = static_cast<unsigned char>(c);
  return byte < kEscapes.size() ? kEscapes[byte] : std::string_view();
}

}  // namespace ringlet::server
