// Jinja's tests, "value is name".
#include "io/jinja/error.h"
#include "io/jinja/filters.h"
#include "io/jinja/format.h"
#include "io/jinja/operators.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {
namespace {

using Bound = BoundArguments;

int64_t Remainder(Runtime& runtime, const Value& value, const Value& divisor) {
  const Value rest = Arithmetic(runtime, Operator::kModulo, value, divisor);
  if (rest.Is(Kind::kFloat)) return rest.number() == 0 ? 0 : rest.number() == 1 ? 1 : -1;
  if (!rest.IsInteger()) Fail("not all arguments converted during string formatting");
  return rest.integer();
}

bool IsSequenceKind(const Value& value) {
  if (value.IsUndefined() || value.IsString() || value.Is(Kind::kDict)) return true;
  return value.Is(Kind::kList) && value.list().type <= ListType::kRange;
}

template <Operator op>
bool Compared(Runtime& runtime, const Value& value, const Bound& arguments) {
  return Compare(runtime, op, value, *arguments.Get(0));
}

template <bool (*f)(std::string_view)>
bool OfText(Runtime& runtime, const Value& value, const Bound&) {
  return f(Str(runtime, value).text());
}

constexpr Signature kOne = {{"other"}, 1};

constexpr TestSpec kTests[] = {
    {"defined", {}, [](Runtime&, const Value& v, const Bound&) { return !v.IsUndefined(); }},
    {"undefined", {}, [](Runtime&, const Value& v, const Bound&) { return v.IsUndefined(); }},
    {"none", {}, [](Runtime&, const Value& v, const Bound&) { return v.IsNone(); }},
    {"boolean", {}, [](Runtime&, const Value& v, const Bound&) { return v.Is(Kind::kBool); }},
    {"true",
     {},
     [](Runtime&, const Value& v, const Bound&) { return v.Is(Kind::kBool) && v.boolean(); }},
    {"false",
     {},
     [](Runtime&, const Value& v, const Bound&) { return v.Is(Kind::kBool) && !v.boolean(); }},
    {"integer", {}, [](Runtime&, const Value& v, const Bound&) { return v.Is(Kind::kInt); }},
    {"float", {}, [](Runtime&, const Value& v, const Bound&) { return v.Is(Kind::kFloat); }},
    {"number", {}, [](Runtime&, const Value& v, const Bound&) { return v.IsNumber(); }},
    {"string", {}, [](Runtime&, const Value& v, const Bound&) { return v.IsString(); }},
    {"mapping", {}, [](Runtime&, const Value& v, const Bound&) { return IsMapping(v); }},
    {"sequence", {}, [](Runtime&, const Value& v, const Bound&) { return IsSequenceKind(v); }},
    {"iterable", {}, [](Runtime&, const Value& v, const Bound&) { return IsIterable(v); }},
    {"callable", {}, [](Runtime&, const Value& v, const Bound&) { return IsCallable(v); }},
    {"escaped", {}, [](Runtime&, const Value&, const Bound&) { return false; }},
    {"lower", {}, OfText<IsAllLower>},
    {"upper", {}, OfText<IsAllUpper>},
    {"odd",
     {},
     [](Runtime& runtime, const Value& v, const Bound&) {
       return Remainder(runtime, v, Value::Int(2)) == 1;
     }},
    {"even",
     {},
     [](Runtime& runtime, const Value& v, const Bound&) {
       return Remainder(runtime, v, Value::Int(2)) == 0;
     }},
    {"divisibleby",
     {{"num"}, 1},
     [](Runtime& runtime, const Value& v, const Bound& arguments) {
       return Remainder(runtime, v, *arguments.Get(0)) == 0;
     }},
    {"sameas", kOne,
     [](Runtime&, const Value& v, const Bound& arguments) {
       return v.SameIdentity(*arguments.Get(0));
     }},
    {"in", kOne,
     [](Runtime& runtime, const Value& v, const Bound& arguments) {
       return Contains(runtime, *arguments.Get(0), v);
     }},
    {"filter",
     {},
     [](Runtime&, const Value& v, const Bound&) {
       return v.IsString() && FindFilter(v.text()) != nullptr;
     }},
    {"test",
     {},
     [](Runtime&, const Value& v, const Bound&) {
       return v.IsString() && FindTest(v.text()) != nullptr;
     }},
    {"eq", kOne, Compared<Operator::kEqual>},
    {"equalto", kOne, Compared<Operator::kEqual>},
    {"==", kOne, Compared<Operator::kEqual>},
    {"ne", kOne, Compared<Operator::kNotEqual>},
    {"!=", kOne, Compared<Operator::kNotEqual>},
    {"lt", kOne, Compared<Operator::kLess>},
    {"lessthan", kOne, Compared<Operator::kLess>},
    {"<", kOne, Compared<Operator::kLess>},
    {"le", kOne, Compared<Operator::kLessEqual>},
    {"<=", kOne, Compared<Operator::kLessEqual>},
    {"gt", kOne, Compared<Operator::kGreater>},
    {"greaterthan", kOne, Compared<Operator::kGreater>},
    {">", kOne, Compared<Operator::kGreater>},
    {"ge", kOne, Compared<Operator::kGreaterEqual>},
    {">=", kOne, Compared<Operator::kGreaterEqual>},
};

}  // namespace

const TestSpec* FindTest(std::string_view name) {
  for (const TestSpec& test : kTests) {
    if (test.name == name) return &test;
  }
  return nullptr;
}

}  // namespace ringlet::jinja
