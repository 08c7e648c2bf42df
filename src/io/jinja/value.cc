#include "io/jinja/value.h"

#include "io/jinja/runtime.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {

Text::Text(std::string value, Runtime* runtime, bool is_markup)
    : bytes(std::move(value)), ascii(IsAscii(bytes)), markup(is_markup), owner(runtime) {}

Text::~Text() {
  if (owner != nullptr) owner->Release(sizeof(Text) + bytes.size());
}

bool Value::IsSequence(ListType type) const { return kind_ == Kind::kList && list().type == type; }

List& Value::list() const { return object<List>(); }
Dict& Value::dict() const { return object<Dict>(); }

bool Value::SameIdentity(const Value& other) const {
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFunction:
      return int_ == other.int_;
    case Kind::kFloat:
      return float_ == other.float_;
    case Kind::kString:
      return text() == other.text();
    default:
      return object_ == other.object_;
  }
}

Value* Dict::Find(std::string_view key) {
  for (auto& [name, value] : entries) {
    if (name.IsString() && name.text() == key) return &value;
  }
  return nullptr;
}

bool Arguments::Take(std::string_view name, Value* out) {
  for (auto it = named.begin(); it != named.end(); ++it) {
    if (it->first != name) continue;
    *out = std::move(it->second);
    named.erase(it);
    return true;
  }
  return false;
}

std::string_view TypeName(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kFunction:
      return "function";
    case Kind::kMethod:
      return "builtin_function_or_method";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
    case Kind::kList:
      break;
  }
  switch (value.list().type) {
    case ListType::kList:
      return "list";
    case ListType::kTuple:
      return "tuple";
    case ListType::kGroup:
      return "_GroupTuple";
    case ListType::kRange:
      return "range";
    case ListType::kGenerator:
      return "generator";
    case ListType::kKeys:
      return "dict_keys";
    case ListType::kValues:
      return "dict_values";
    case ListType::kItems:
      return "dict_items";
  }
  return "object";
}

bool IsTrue(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.integer() != 0;
    case Kind::kFloat:
      return value.number() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kList:
      return value.list().type == ListType::kGenerator || !value.list().items.empty();
    case Kind::kDict:
      return !value.dict().entries.empty();
    default:
      return true;
  }
}

bool IsMapping(const Value& value) { return value.Is(Kind::kDict); }

bool IsIterable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kList:
    case Kind::kDict:
    case Kind::kLoop:
      return true;
    default:
      return false;
  }
}

bool IsCallable(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:  // Jinja's Undefined has a call operator, which fails
    case Kind::kFunction:
    case Kind::kMethod:
    case Kind::kMacro:
    case Kind::kLoop:
    case Kind::kJoiner:
      return true;
    default:
      return false;
  }
}

}  // namespace ringlet::jinja
