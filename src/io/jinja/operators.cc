#include "io/jinja/operators.h"

#include <cmath>

#include "io/jinja/error.h"
#include "io/jinja/format.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {
namespace {

std::string_view Symbol(Operator op) {
  switch (op) {
    case Operator::kAdd:
      return "+";
    case Operator::kSubtract:
      return "-";
    case Operator::kMultiply:
      return "*";
    case Operator::kDivide:
      return "/";
    case Operator::kFloorDivide:
      return "//";
    case Operator::kModulo:
      return "%";
    case Operator::kPower:
      return "**";
    case Operator::kEqual:
      return "==";
    case Operator::kNotEqual:
      return "!=";
    case Operator::kLess:
      return "<";
    case Operator::kLessEqual:
      return "<=";
    case Operator::kGreater:
      return ">";
    case Operator::kGreaterEqual:
      return ">=";
    case Operator::kIn:
      return "in";
    case Operator::kNotIn:
      return "not in";
  }
  return "?";
}

bool IsTuple(const Value& value) {
  return value.IsSequence(ListType::kTuple) || value.IsSequence(ListType::kGroup);
}

bool SameSequenceType(const Value& a, const Value& b) {
  return a.list().type == b.list().type || (IsTuple(a) && IsTuple(b));
}

bool EqualAt(Runtime& runtime, const Value& a, const Value& b, uint32_t depth);

bool EqualLists(Runtime& runtime, const List& a, const List& b, uint32_t depth) {
  if (a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!EqualAt(runtime, a.items[i], b.items[i], depth)) return false;
  }
  return true;
}

bool EqualDicts(Runtime& runtime, Dict& a, Dict& b, uint32_t depth) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, item] : a.entries) {
    const Value* other = runtime.Get(b, key);
    if (other == nullptr || !EqualAt(runtime, item, *other, depth)) return false;
  }
  return true;
}

bool EqualAt(Runtime& runtime, const Value& a, const Value& b, uint32_t depth) {
  runtime.Step();
  if (depth > runtime.limits().max_value_depth) {
    FailLimit("compared values nest deeper than the limit of {}", runtime.limits().max_value_depth);
  }
  if (a.IsInteger() && b.IsInteger()) return a.integer() == b.integer();
  if (a.IsNumber() && b.IsNumber()) return a.number() == b.number();
  if (a.kind() != b.kind()) return false;
  if (a.IsString()) {
    runtime.StepText(a.text().size());
    return a.text() == b.text();
  }
  if (a.Is(Kind::kDict)) return EqualDicts(runtime, a.dict(), b.dict(), depth + 1);
  if (a.Is(Kind::kList) && SameSequenceType(a, b) && !a.IsSequence(ListType::kGenerator)) {
    return EqualLists(runtime, a.list(), b.list(), depth + 1);
  }
  return a.SameIdentity(b);
}

// Negative, zero or positive; nullopt for kinds without an order and for NaN.
std::optional<int> OrderNumbers(const Value& a, const Value& b) {
  if (a.IsInteger() && b.IsInteger()) {
    return a.integer() < b.integer() ? -1 : a.integer() > b.integer() ? 1 : 0;
  }
  const double x = a.number();
  const double y = b.number();
  if (std::isnan(x) || std::isnan(y)) return std::nullopt;
  return x < y ? -1 : x > y ? 1 : 0;
}

bool OrderResult(Operator op, int order) {
  switch (op) {
    case Operator::kLess:
      return order < 0;
    case Operator::kLessEqual:
      return order <= 0;
    case Operator::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool CompareAt(Runtime& runtime, Operator op, const Value& a, const Value& b, uint32_t depth) {
  runtime.Step();
  if (depth > runtime.limits().max_value_depth) {
    FailLimit("compared values nest deeper than the limit of {}", runtime.limits().max_value_depth);
  }
  RequireDefined(a);
  RequireDefined(b);
  if (a.IsNumber() && b.IsNumber()) {
    const std::optional<int> order = OrderNumbers(a, b);
    return order.has_value() && OrderResult(op, *order);
  }
  if (a.IsString() && b.IsString()) {
    runtime.StepText(a.text().size());
    return OrderResult(op, a.text().compare(b.text()));  // UTF-8 sorts as its code points do
  }
  const bool lists = a.IsSequence(ListType::kList) && b.IsSequence(ListType::kList);
  if (lists || (IsTuple(a) && IsTuple(b))) {
    const std::vector<Value>& x = a.list().items;
    const std::vector<Value>& y = b.list().items;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!Equal(runtime, x[i], y[i])) return CompareAt(runtime, op, x[i], y[i], depth + 1);
    }
    return OrderResult(op, x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0);
  }
  Fail("'{}' not supported between instances of '{}' and '{}'", Symbol(op), TypeName(a),
       TypeName(b));
}

[[noreturn]] void FailOverflow(Operator op) {
  Fail("the result of '{}' does not fit a 64-bit integer", Symbol(op));
}

int64_t FloorDivide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? quotient - 1 : quotient;
}

int64_t FloorModulo(int64_t a, int64_t b) {
  const int64_t rest = a % b;
  return (rest != 0 && ((rest < 0) != (b < 0))) ? rest + b : rest;
}

Value IntegerPower(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) Fail("0.0 cannot be raised to a negative power");
    return Value::Float(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) {
      FailOverflow(Operator::kPower);
    }
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) FailOverflow(Operator::kPower);
  }
  return Value::Int(result);
}

Value IntegerArithmetic(Operator op, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case Operator::kAdd:
      if (__builtin_add_overflow(a, b, &result)) FailOverflow(op);
      return Value::Int(result);
    case Operator::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) FailOverflow(op);
      return Value::Int(result);
    case Operator::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) FailOverflow(op);
      return Value::Int(result);
    case Operator::kPower:
      return IntegerPower(a, b);
    default:
      break;
  }
  if (b == 0) Fail("division by zero");
  if (op == Operator::kDivide) {
    return Value::Float(static_cast<double>(a) / static_cast<double>(b));
  }
  if (a == INT64_MIN && b == -1) {
    if (op == Operator::kModulo) return Value::Int(0);
    FailOverflow(op);
  }
  return Value::Int(op == Operator::kFloorDivide ? FloorDivide(a, b) : FloorModulo(a, b));
}

Value FloatArithmetic(Operator op, double a, double b) {
  switch (op) {
    case Operator::kAdd:
      return Value::Float(a + b);
    case Operator::kSubtract:
      return Value::Float(a - b);
    case Operator::kMultiply:
      return Value::Float(a * b);
    case Operator::kPower: {
      if (a == 0 && b < 0) Fail("0.0 cannot be raised to a negative power");
      const double result = std::pow(a, b);
      if (std::isnan(result) && !std::isnan(a) && !std::isnan(b)) {
        Fail("the result of '**' is not a real number");
      }
      return Value::Float(result);
    }
    default:
      break;
  }
  if (b == 0) Fail("float division by zero");
  if (op == Operator::kDivide) return Value::Float(a / b);
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (op == Operator::kModulo) return Value::Float(rest == 0 ? std::copysign(0.0, b) : rest);
  const double quotient = (a - rest) / b;  // near a whole number
  const double floor = std::floor(quotient);
  return Value::Float(quotient - floor > 0.5 ? floor + 1 : floor);
}

uint64_t RepeatedSize(Runtime& runtime, uint64_t size, int64_t times) {
  if (times <= 0) return 0;
  uint64_t total = 0;
  if (__builtin_mul_overflow(size, static_cast<uint64_t>(times), &total)) total = UINT64_MAX;
  runtime.CheckRoom(total);
  return total;
}

Value Repeat(Runtime& runtime, const Value& value, int64_t times) {
  if (value.IsString()) {
    std::string out;
    const uint64_t total = RepeatedSize(runtime, value.text().size(), times);
    out.reserve(total);
    while (out.size() < total) out += value.text();
    return runtime.String(std::move(out), value.IsMarkup());
  }
  const std::vector<Value>& items = value.list().items;
  const uint64_t total = RepeatedSize(runtime, items.size() * sizeof(Value), times);
  std::vector<Value> out;
  out.reserve(total / sizeof(Value));
  while (out.size() * sizeof(Value) < total) out.insert(out.end(), items.begin(), items.end());
  return runtime.NewList(value.list().type, std::move(out));
}

bool Repeatable(const Value& value) {
  return value.IsString() || value.IsSequence(ListType::kList) || IsTuple(value);
}

std::optional<Value> SequenceArithmetic(Runtime& runtime, Operator op, const Value& a,
                                        const Value& b) {
  if (op == Operator::kModulo && a.IsString()) return PercentFormat(runtime, a, b);
  if (op == Operator::kMultiply) {
    if (Repeatable(a) && b.IsInteger()) return Repeat(runtime, a, b.integer());
    if (Repeatable(b) && a.IsInteger()) return Repeat(runtime, b, a.integer());
  }
  if (op != Operator::kAdd) return std::nullopt;
  if (a.IsString() && b.IsString()) {
    if (a.IsMarkup() != b.IsMarkup()) {
      return SequenceArithmetic(runtime, op, EscapeHtml(runtime, a), EscapeHtml(runtime, b));
    }
    runtime.CheckRoom(a.text().size() + b.text().size());
    std::string out(a.text());
    out += b.text();
    return runtime.String(std::move(out), a.IsMarkup());
  }
  const bool lists = a.IsSequence(ListType::kList) && b.IsSequence(ListType::kList);
  if (lists || (IsTuple(a) && IsTuple(b))) {
    const std::vector<Value>& tail = b.list().items;
    runtime.CheckRoom((a.list().items.size() + tail.size()) * sizeof(Value));
    std::vector<Value> items = a.list().items;
    items.insert(items.end(), tail.begin(), tail.end());
    return runtime.NewList(lists ? ListType::kList : ListType::kTuple, std::move(items));
  }
  return std::nullopt;
}

}  // namespace

bool Equal(Runtime& runtime, const Value& a, const Value& b) { return EqualAt(runtime, a, b, 0); }

bool Compare(Runtime& runtime, Operator op, const Value& a, const Value& b) {
  if (op == Operator::kEqual) return Equal(runtime, a, b);
  if (op == Operator::kNotEqual) return !Equal(runtime, a, b);
  return CompareAt(runtime, op, a, b, 0);
}

Value Arithmetic(Runtime& runtime, Operator op, const Value& a, const Value& b) {
  if (a.IsInteger() && b.IsInteger()) return IntegerArithmetic(op, a.integer(), b.integer());
  if (a.IsNumber() && b.IsNumber()) return FloatArithmetic(op, a.number(), b.number());
  RequireDefined(a);
  if (!(op == Operator::kModulo && a.IsString())) RequireDefined(b);
  if (std::optional<Value> result = SequenceArithmetic(runtime, op, a, b)) return *result;
  if (op == Operator::kAdd && (a.IsString() || a.IsSequence(ListType::kList))) {
    Fail("can only concatenate {0} (not \"{1}\") to {0}", TypeName(a), TypeName(b));
  }
  Fail("unsupported operand type(s) for {}: '{}' and '{}'", Symbol(op), TypeName(a), TypeName(b));
}

Value Negate(const Value& value) {
  RequireDefined(value);
  if (value.Is(Kind::kFloat)) return Value::Float(-value.number());
  if (!value.IsInteger()) Fail("bad operand type for unary -: '{}'", TypeName(value));
  if (value.integer() == INT64_MIN) FailOverflow(Operator::kSubtract);
  return Value::Int(-value.integer());
}

Value Positive(const Value& value) {
  RequireDefined(value);
  if (value.Is(Kind::kFloat)) return value;
  if (!value.IsInteger()) Fail("bad operand type for unary +: '{}'", TypeName(value));
  return Value::Int(value.integer());
}

bool Contains(Runtime& runtime, const Value& container, const Value& item) {
  if (container.IsString()) {
    RequireDefined(item);
    if (!item.IsString()) {
      Fail("'in <string>' requires string as left operand, not {}", TypeName(item));
    }
    runtime.StepSearch(container.text().size(), item.text().size());
    return Find(container.text(), item.text()) != std::string_view::npos;
  }
  if (container.Is(Kind::kDict)) return runtime.Get(container.dict(), item) != nullptr;
  if (!IsIterable(container)) {
    Fail("argument of type '{}' is not iterable", TypeName(container));
  }
  for (const Value& member : Iterate(runtime, container)) {
    if (Equal(runtime, member, item)) return true;
  }
  return false;
}

void RequireHashable(const Value& key) {
  const bool tuple = key.Is(Kind::kList) && !key.IsSequence(ListType::kList);
  if (key.Is(Kind::kDict) || (key.Is(Kind::kList) && !tuple)) {
    Fail("unhashable type: '{}'", TypeName(key));
  }
}

void RequireDefined(const Value& value) {
  if (value.IsUndefined()) Fail("{}", value.text());
}

}  // namespace ringlet::jinja
