// Decimal numbers as digits: bounds of JSON numbers without rounding.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "io/grammar/automaton.h"

namespace ringlet::grammar {

// No leading zeros in `whole` but for "0", no trailing ones in `fraction`; zero is not negative.
struct Decimal {
  bool negative = false;
  std::string whole = "0";
  std::string fraction;
};

// -1, 0 or 1.
int Compare(const Decimal& a, const Decimal& b);

// Nothing when the text of the number may have been rounded (from 2^53 on when it is not a 64-bit
// integer) or is longer than 40 digits.
std::optional<Decimal> DecimalOf(const OrderedJson& number);

struct DecimalBound {
  Decimal value;
  bool exclusive = false;
};

// Adds the numbers between the bounds, without exponents; `integers`: without fractions too. Those
// with fractions have at most 15 digits.
void AddNumberRange(AutomatonBuilder& builder, StateId from, const std::optional<DecimalBound>& low,
                    const std::optional<DecimalBound>& high, bool integers, StateId to);

}  // namespace ringlet::grammar
