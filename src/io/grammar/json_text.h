// JSON as parts of an automaton: what every JSON grammar is made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "io/grammar/automaton.h"

namespace ringlet::grammar {

// Each function adds paths between two states. White space is bounded, so that a model cannot stay
// in it: between the parts of an object or array nothing, one space, or a line break and at most
// kMaxIndent spaces and tabs; after a colon nothing or one space; none before a comma or a colon.
class JsonText {
 public:
  static constexpr int kMaxIndent = 64;

  explicit JsonText(AutomatonBuilder& builder) : builder_(builder) {}

  void Gap(StateId from, StateId to);
  void Comma(StateId from, StateId to);
  void Colon(StateId from, StateId to);

  // Whole values in any spelling, but for numbers: at most kMaxWholeDigits before the point and two
  // in the exponent, so that all of them fit a double.
  void Null(StateId from, StateId to) { builder_.AddText(from, "null", to); }
  void Boolean(StateId from, StateId to);
  void Integer(StateId from, StateId to);  // without fraction and exponent
  void Number(StateId from, StateId to);
  // A string of min to max characters (code points).
  void String(StateId from, uint64_t min, uint64_t max, StateId to);
  void AnyValue(StateId from, StateId to);
  void AnyObject(StateId from, StateId to);
  void AnyArray(StateId from, StateId to);

  // The value as the library writes it, with gaps.
  void Value(StateId from, const OrderedJson& value, StateId to);

  // Characters inside a string, each in its shortest spelling and, as a control character's
  // \u00XX, with digits of either case: one spelling per character, so that texts of other spelling
  // cannot slip past a set.
  void Characters(StateId from, const CodePointSet& set, StateId to);
  // A string, quotes included, that is none of `names`.
  void KeyExcept(StateId from, const std::vector<std::string>& names, StateId to);

 private:
  Fragment StringCharacter();
  void Escapes(StateId from, StateId to);
  void HexDigits(StateId from, int count, StateId to);
  Fragment AnyValueRule();
  void Digits(StateId from, StateId to);  // one or more
  // A digit that is not zero, and at most kMaxWholeDigits in all.
  void WholeDigits(StateId from, StateId to);

  AutomatonBuilder& builder_;
  std::optional<Fragment> gap_, character_, string_, integer_, number_, value_, array_, object_;
};

}  // namespace ringlet::grammar
