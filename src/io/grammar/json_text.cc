#include "io/grammar/json_text.h"

#include <initializer_list>
#include <map>
#include <utility>

#include "io/grammar/limits.h"
#include "io/utf8.h"

namespace ringlet::grammar {
namespace {

constexpr std::pair<char32_t, char> kShortEscapes[] = {{U'"', '"'},  {U'\\', '\\'}, {U'\b', 'b'},
                                                       {U'\f', 'f'}, {U'\n', 'n'},  {U'\r', 'r'},
                                                       {U'\t', 't'}};

using ByteList = std::initializer_list<std::pair<uint8_t, uint8_t>>;

// Characters that stand for themselves in a string.
CodePointSet PlainCharacters() {
  return CodePointSet::FromRanges({{0x20, 0x21}, {0x23, 0x5B}, {0x5D, kLastCodePoint}});
}

}  // namespace

void JsonText::Gap(StateId from, StateId to) {
  if (!gap_) {
    gap_ = builder_.NewFragment();
    builder_.AddEpsilon(gap_->start, gap_->end);
    builder_.AddText(gap_->start, " ", gap_->end);
    StateId at = builder_.NewState();
    builder_.AddText(gap_->start, "\n", at);
    for (int i = 0; i <= kMaxIndent; ++i) {
      builder_.AddEpsilon(at, gap_->end);
      if (i == kMaxIndent) break;
      const StateId next = builder_.NewState();
      builder_.AddText(at, " ", next);
      builder_.AddText(at, "\t", next);
      at = next;
    }
  }
  builder_.AddCall(from, *gap_, to);
}

void JsonText::Comma(StateId from, StateId to) {
  const StateId after = builder_.NewState();
  builder_.AddText(from, ",", after);
  Gap(after, to);
}

void JsonText::Colon(StateId from, StateId to) {
  const StateId after = builder_.NewState();
  builder_.AddText(from, ":", after);
  builder_.AddEpsilon(after, to);
  builder_.AddText(after, " ", to);
}

void JsonText::Boolean(StateId from, StateId to) {
  builder_.AddText(from, "true", to);
  builder_.AddText(from, "false", to);
}

void JsonText::Digits(StateId from, StateId to) {
  const StateId loop = builder_.NewState();
  builder_.AddBytes(from, '0', '9', loop);
  builder_.AddBytes(loop, '0', '9', loop);
  builder_.AddEpsilon(loop, to);
}

void JsonText::WholeDigits(StateId from, StateId to) {
  StateId at = builder_.NewState();
  builder_.AddBytes(from, '1', '9', at);
  for (size_t digits = 1; digits < kMaxWholeDigits; ++digits) {
    const StateId next = builder_.NewState();
    builder_.AddEpsilon(at, to);
    builder_.AddBytes(at, '0', '9', next);
    at = next;
  }
  builder_.AddEpsilon(at, to);
}

void JsonText::Integer(StateId from, StateId to) {
  if (!integer_) {
    integer_ = builder_.NewFragment();
    const StateId magnitude = builder_.NewState();
    builder_.AddEpsilon(integer_->start, magnitude);
    builder_.AddText(integer_->start, "-", magnitude);
    builder_.AddText(magnitude, "0", integer_->end);
    WholeDigits(magnitude, integer_->end);
  }
  builder_.AddCall(from, *integer_, to);
}

void JsonText::Number(StateId from, StateId to) {
  if (!number_) {
    number_ = builder_.NewFragment();
    const StateId whole = builder_.NewState(), point = builder_.NewState();
    const StateId decimal = builder_.NewState(), exponent = builder_.NewState();
    const StateId sign = builder_.NewState(), digit = builder_.NewState();
    Integer(number_->start, whole);
    builder_.AddEpsilon(whole, decimal);
    builder_.AddText(whole, ".", point);
    Digits(point, decimal);
    builder_.AddEpsilon(decimal, number_->end);
    builder_.AddText(decimal, "e", exponent);
    builder_.AddText(decimal, "E", exponent);
    builder_.AddEpsilon(exponent, sign);
    builder_.AddText(exponent, "+", sign);
    builder_.AddText(exponent, "-", sign);
    builder_.AddBytes(sign, '0', '9', digit);
    builder_.AddEpsilon(digit, number_->end);
    builder_.AddBytes(digit, '0', '9', number_->end);
  }
  builder_.AddCall(from, *number_, to);
}

void JsonText::HexDigits(StateId from, int count, StateId to) {
  for (StateId at = from; count > 0; --count) {
    const StateId next = count == 1 ? to : builder_.NewState();
    builder_.AddBytes(at, '0', '9', next);
    builder_.AddBytes(at, 'A', 'F', next);
    builder_.AddBytes(at, 'a', 'f', next);
    at = next;
  }
}

// After the backslash. A \u escape of a surrogate must be the first of a pair.
void JsonText::Escapes(StateId from, StateId to) {
  builder_.AddText(from, "/", to);
  for (const auto& [character, letter] : kShortEscapes) {
    builder_.AddText(from, std::string_view(&letter, 1), to);
  }
  const StateId digits = builder_.NewState(), d = builder_.NewState();
  const StateId high = builder_.NewState(), slash = builder_.NewState();
  const StateId u = builder_.NewState(), low = builder_.NewState(), lower = builder_.NewState();
  const StateId three = builder_.NewState();
  builder_.AddText(from, "u", digits);
  for (const auto& [first, last] :
       ByteList{{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}}) {
    builder_.AddBytes(digits, first, last, three);
  }
  HexDigits(three, 3, to);
  const StateId two = builder_.NewState();
  for (const char letter : {'D', 'd'}) {
    const std::string_view text(&letter, 1);
    builder_.AddText(digits, text, d);
    builder_.AddText(low, text, lower);
  }
  builder_.AddBytes(d, '0', '7', two);
  HexDigits(two, 2, to);
  for (const auto& [first, last] : ByteList{{'8', '9'}, {'A', 'B'}, {'a', 'b'}}) {
    builder_.AddBytes(d, first, last, high);
  }
  for (const auto& [first, last] : ByteList{{'C', 'F'}, {'c', 'f'}}) {
    builder_.AddBytes(lower, first, last, two);
  }
  HexDigits(high, 2, slash);
  builder_.AddText(slash, "\\", u);
  builder_.AddText(u, "u", low);
}

Fragment JsonText::StringCharacter() {
  if (!character_) {
    character_ = builder_.NewFragment();
    const StateId escape = builder_.NewState();
    builder_.AddCharacters(character_->start, PlainCharacters(), character_->end);
    builder_.AddText(character_->start, "\\", escape);
    Escapes(escape, character_->end);
  }
  return *character_;
}

void JsonText::String(StateId from, uint64_t min, uint64_t max, StateId to) {
  if (min > 0 || max != AutomatonBuilder::kUnbounded) {
    const StateId first = builder_.NewState(), last = builder_.NewState();
    builder_.AddText(from, "\"", first);
    builder_.AddRepeat(first, StringCharacter(), min, max, last);
    builder_.AddText(last, "\"", to);
    return;
  }
  if (!string_) {
    string_ = builder_.NewFragment();
    const StateId inside = builder_.NewState(), escape = builder_.NewState();
    builder_.AddText(string_->start, "\"", inside);
    builder_.AddCharacters(inside, PlainCharacters(), inside);
    builder_.AddText(inside, "\\", escape);
    Escapes(escape, inside);
    builder_.AddText(inside, "\"", string_->end);
  }
  builder_.AddCall(from, *string_, to);
}

Fragment JsonText::AnyValueRule() {
  if (!value_) {
    value_ = builder_.NewFragment();
    const auto [start, end] = *value_;
    Null(start, end);
    Boolean(start, end);
    Number(start, end);
    String(start, 0, AutomatonBuilder::kUnbounded, end);
    AnyArray(start, end);
    AnyObject(start, end);
  }
  return *value_;
}

void JsonText::AnyValue(StateId from, StateId to) { builder_.AddCall(from, AnyValueRule(), to); }

void JsonText::AnyArray(StateId from, StateId to) {
  if (!array_) {
    array_ = builder_.NewFragment();
    const StateId open = builder_.NewState(), first = builder_.NewState();
    const StateId item = builder_.NewState(), after = builder_.NewState();
    const StateId close = builder_.NewState();
    builder_.AddText(array_->start, "[", open);
    Gap(open, first);
    builder_.AddText(first, "]", array_->end);
    builder_.AddEpsilon(first, item);
    AnyValue(item, after);
    Comma(after, item);
    Gap(after, close);
    builder_.AddText(close, "]", array_->end);
  }
  builder_.AddCall(from, *array_, to);
}

void JsonText::AnyObject(StateId from, StateId to) {
  if (!object_) {
    object_ = builder_.NewFragment();
    const StateId open = builder_.NewState(), first = builder_.NewState();
    const StateId key = builder_.NewState(), colon = builder_.NewState();
    const StateId value = builder_.NewState(), after = builder_.NewState();
    const StateId close = builder_.NewState();
    builder_.AddText(object_->start, "{", open);
    Gap(open, first);
    builder_.AddText(first, "}", object_->end);
    builder_.AddEpsilon(first, key);
    String(key, 0, AutomatonBuilder::kUnbounded, colon);
    Colon(colon, value);
    AnyValue(value, after);
    Comma(after, key);
    Gap(after, close);
    builder_.AddText(close, "}", object_->end);
  }
  builder_.AddCall(from, *object_, to);
}

void JsonText::Value(StateId from, const OrderedJson& value, StateId to) {
  if ((!value.is_array() && !value.is_object()) || value.empty()) {
    builder_.AddText(from, value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace), to);
    return;
  }
  StateId at = builder_.NewState(), open = builder_.NewState();
  builder_.AddText(from, value.is_array() ? "[" : "{", open);
  Gap(open, at);
  bool first = true;
  for (const auto& [key, member] : value.items()) {
    if (!first) {
      const StateId next = builder_.NewState();
      Comma(at, next);
      at = next;
    }
    first = false;
    if (value.is_object()) {
      const StateId colon = builder_.NewState(), next = builder_.NewState();
      Value(at, OrderedJson(key), colon);
      Colon(colon, next);
      at = next;
    }
    const StateId next = builder_.NewState();
    Value(at, member, next);
    at = next;
  }
  const StateId close = builder_.NewState();
  Gap(at, close);
  builder_.AddText(close, value.is_array() ? "]" : "}", to);
}

void JsonText::Characters(StateId from, const CodePointSet& set, StateId to) {
  builder_.AddCharacters(from, set.Intersect(PlainCharacters()), to);
  const CodePointSet escaped = set.Without(PlainCharacters());
  if (escaped.empty()) return;
  const StateId escape = builder_.NewState(), zeros = builder_.NewState();
  builder_.AddText(from, "\\", escape);
  builder_.AddText(escape, "u00", zeros);
  CodePointSet rest = escaped;
  for (const auto& [character, letter] : kShortEscapes) {
    if (!escaped.Contains(character)) continue;
    builder_.AddText(escape, std::string_view(&letter, 1), to);
    rest = rest.Without(CodePointSet::Of(character, character));
  }
  for (const auto& [first, last] : rest.ranges()) {
    for (char32_t c = first; c <= last; ++c) {  // control characters: at most 32
      const StateId digit = builder_.NewState();
      builder_.AddText(zeros, c < 0x10 ? "0" : "1", digit);
      builder_.AddText(digit, std::string_view(&"0123456789abcdef"[c % 16], 1), to);
      if (c % 16 >= 10) builder_.AddText(digit, std::string_view(&"ABCDEF"[c % 16 - 10], 1), to);
    }
  }
}

// The names as a trie of characters. Leaving it anywhere gives a key that may be anything further
// on; staying in it to the end gives one only where no name ends.
void JsonText::KeyExcept(StateId from, const std::vector<std::string>& names, StateId to) {
  struct Node {
    std::map<char32_t, size_t> next;
    bool is_name = false;
  };
  std::vector<Node> trie(1);
  for (const std::string& name : names) {
    size_t at = 0;
    for (std::string_view rest = name; !rest.empty(); rest.remove_prefix(Utf8CharLength(rest))) {
      const char32_t c = DecodeUtf8Char(rest.substr(0, Utf8CharLength(rest)));
      const auto [child, is_new] = trie[at].next.try_emplace(c, trie.size());
      at = child->second;
      if (is_new) trie.emplace_back();
    }
    trie[at].is_name = true;
  }
  const StateId free = builder_.NewState();
  Characters(free, CodePointSet::All(), free);
  builder_.AddText(free, "\"", to);
  std::vector<StateId> states;
  for (size_t i = 0; i < trie.size(); ++i) states.push_back(builder_.NewState());
  builder_.AddText(from, "\"", states[0]);
  for (size_t i = 0; i < trie.size() && !builder_.full(); ++i) {
    std::vector<std::pair<char32_t, char32_t>> taken;
    for (const auto& [c, child] : trie[i].next) {
      taken.emplace_back(c, c);
      Characters(states[i], CodePointSet::Of(c, c), states[child]);
    }
    Characters(states[i], CodePointSet::FromRanges(taken).Complement(), free);
    if (!trie[i].is_name) builder_.AddText(states[i], "\"", to);
  }
}

}  // namespace ringlet::grammar
