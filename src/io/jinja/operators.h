// Python's operators on values: equality, order, arithmetic, membership, subscripts and iteration.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

enum class Operator : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

bool Equal(Runtime& runtime, const Value& a, const Value& b);

// kLess ... kGreaterEqual and the equalities; fails on kinds without an order, as Python does.
bool Compare(Runtime& runtime, Operator op, const Value& a, const Value& b);

// kAdd ... kPower.
Value Arithmetic(Runtime& runtime, Operator op, const Value& a, const Value& b);
Value Negate(const Value& value);
Value Positive(const Value& value);

bool Contains(Runtime& runtime, const Value& container, const Value& item);
void RequireHashable(const Value& key);

// Fails with "'x' is undefined" when it is.
void RequireDefined(const Value& value);

// value[key]: the item first, then a method of that name. Missing: undefined.
Value GetItem(Runtime& runtime, const Value& value, const Value& key);

// value.name: a method first, then the item. Names that begin with "_" are never found.
Value GetAttribute(Runtime& runtime, const Value& value, std::string_view name);

// value.name without the items: what the filter `attr` sees.
std::optional<Value> FindAttribute(Runtime& runtime, const Value& value, std::string_view name);

Value Slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
            const Value& step);

// Everything the value yields; consumes a generator. `Length` is len(), and fails without one.
std::vector<Value> Iterate(Runtime& runtime, const Value& value);
size_t Length(const Value& value);

// The code point at each position of a string, as values.
std::vector<Value> Characters(Runtime& runtime, std::string_view text);

// "12" -> 12 under Python's int() rules; nullopt when it is not a number of that base.
std::optional<int64_t> ParseInteger(std::string_view text, int64_t base);
std::optional<double> ParseFloat(std::string_view text);

}  // namespace ringlet::jinja
