#include <cmath>

#include "io/jinja/error.h"
#include "io/jinja/filters.h"
#include "io/jinja/operators.h"

namespace ringlet::jinja {
namespace {

using Bound = BoundArguments;

Value Abs(Runtime&, const Value& input, const Bound&) {
  RequireDefined(input);
  if (input.Is(Kind::kFloat)) return Value::Float(std::abs(input.number()));
  if (!input.IsInteger()) Fail("bad operand type for abs(): '{}'", TypeName(input));
  return input.integer() < 0 ? Negate(input) : Value::Int(input.integer());
}

std::optional<Value> Truncated(double value) {
  if (!(std::abs(value) < 9.2e18)) return std::nullopt;
  return Value::Int(static_cast<int64_t>(value));
}

Value ToInt(Runtime&, const Value& input, const Bound& arguments) {
  const Value otherwise = arguments.Has(0) ? *arguments.Get(0) : Value::Int(0);
  RequireDefined(input);
  if (input.IsInteger()) return Value::Int(input.integer());
  if (input.Is(Kind::kFloat)) return Truncated(input.number()).value_or(otherwise);
  if (!input.IsString()) return otherwise;
  if (const auto whole = ParseInteger(input.text(), arguments.Integer(1, 10))) {
    return Value::Int(*whole);
  }
  const std::optional<double> real = ParseFloat(input.text());
  return real ? Truncated(*real).value_or(otherwise) : otherwise;
}

Value ToFloat(Runtime&, const Value& input, const Bound& arguments) {
  const Value otherwise = arguments.Has(0) ? *arguments.Get(0) : Value::Float(0);
  RequireDefined(input);
  if (input.IsNumber()) return Value::Float(input.number());
  if (!input.IsString()) return otherwise;
  const std::optional<double> real = ParseFloat(input.text());
  return real ? Value::Float(*real) : otherwise;
}

// Python's round(): half to even, on the exact decimal value of the double.
double RoundTo(double value, int64_t digits) {
  if (!std::isfinite(value) || digits > 300) return value;
  if (digits < 0) {
    if (digits < -310) return 0;
    const double scale = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(value / scale) * scale;
  }
  return ParseFloat(fmt::format("{:.{}f}", value, static_cast<int>(digits))).value_or(value);
}

Value Round(Runtime&, const Value& input, const Bound& arguments) {
  RequireDefined(input);
  if (!input.IsNumber()) Fail("'round' needs a number, found {}", TypeName(input));
  const int64_t precision = arguments.Integer(0, 0);
  const std::string_view method = arguments.Text(1, "common");
  if (method == "common") {
    if (input.Is(Kind::kFloat)) return Value::Float(RoundTo(input.number(), precision));
    if (precision >= 0) return Value::Int(input.integer());
    return Value::Int(static_cast<int64_t>(RoundTo(input.number(), precision)));
  }
  if (method != "ceil" && method != "floor") Fail("method must be common, ceil or floor");
  if (precision > 300 || precision < -300) Fail("'round': argument 'precision' is out of range");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = input.number() * scale;
  return Value::Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

constexpr FilterSpec kNumberFilters[] = {
    {"abs", {}, Abs},
    {"int", {{"default", "base"}, 0}, ToInt},
    {"float", {{"default"}, 0}, ToFloat},
    {"round", {{"precision", "method"}, 0}, Round},
};

}  // namespace

std::span<const FilterSpec> NumberFilters() { return kNumberFilters; }

}  // namespace ringlet::jinja
