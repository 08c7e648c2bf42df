#include "io/jinja/runtime.h"

#include "io/jinja/error.h"
#include "io/jinja/operators.h"
#include "io/utf8.h"

namespace ringlet::jinja {

void Runtime::Step(uint64_t count) {
  steps_ += count;
  if (steps_ > limits_.max_steps) {
    FailLimit("the template runs longer than the limit of {} steps", limits_.max_steps);
  }
}

void Runtime::CheckRoom(uint64_t bytes) const {
  if (bytes > limits_.max_memory_bytes || used_ > limits_.max_memory_bytes - bytes) {
    FailLimit("the template's values exceed the limit of {} bytes of memory",
              limits_.max_memory_bytes);
  }
}

void Runtime::Charge(uint64_t bytes) {
  CheckRoom(bytes);
  used_ += bytes;
}

Value Runtime::String(std::string text, bool markup) {
  StepText(text.size());
  Charge(sizeof(Text) + text.size());
  return Value(std::make_shared<const Text>(std::move(text), this, markup));
}

Value Runtime::Undefined(std::string what) {
  Charge(sizeof(Text) + what.size());
  return Value::Undefined(std::make_shared<const Text>(std::move(what), this));
}

Value Runtime::NewList(ListType type, std::vector<Value> items) {
  StepItems(items.size());
  Charge(items.size() * sizeof(Value));
  List* list = New<List>();
  list->type = type;
  list->items = std::move(items);
  return Value::Of(Kind::kList, list);
}

Value Runtime::NewDict() { return Value::Of(Kind::kDict, New<Dict>()); }

void Runtime::Append(List& list, Value item) {
  Charge(sizeof(Value));
  list.items.push_back(std::move(item));
}

void Runtime::Insert(List& list, size_t index, Value item) {
  Charge(sizeof(Value));
  StepItems(list.items.size() - index);
  list.items.insert(list.items.begin() + static_cast<ptrdiff_t>(index), std::move(item));
}

Value* Runtime::Get(Dict& dict, const Value& key) {
  StepItems(dict.entries.size());
  if (key.IsString()) return dict.Find(key.text());
  RequireHashable(key);
  for (auto& [name, value] : dict.entries) {
    if (Equal(*this, name, key)) return &value;
  }
  return nullptr;
}

void Runtime::Set(Dict& dict, Value key, Value item) {
  if (Value* found = Get(dict, key)) {
    *found = std::move(item);
    return;
  }
  Charge(2 * sizeof(Value));
  dict.entries.emplace_back(std::move(key), std::move(item));
}

Value Runtime::InputString(const std::string& text) {
  CheckRoom(text.size());
  return String(ValidUtf8Prefix(text) == text.size() ? text : ReplaceInvalidUtf8(text));
}

Value Runtime::FromJson(const OrderedJson& json, uint32_t depth) {
  if (depth > limits_.max_value_depth) {
    FailLimit("the template's input nests deeper than the limit of {}", limits_.max_value_depth);
  }
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      return Value::Bool(json.get<bool>());
    case OrderedJson::value_t::number_integer:
      return Value::Int(json.get<int64_t>());
    case OrderedJson::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      if (number > INT64_MAX) return Value::Float(static_cast<double>(number));
      return Value::Int(static_cast<int64_t>(number));
    }
    case OrderedJson::value_t::number_float:
      return Value::Float(json.get<double>());
    case OrderedJson::value_t::string:
      return InputString(json.get_ref<const std::string&>());
    case OrderedJson::value_t::array: {
      const Value list = NewList(ListType::kList);
      for (const auto& item : json) Append(list.list(), FromJson(item, depth + 1));
      return list;
    }
    case OrderedJson::value_t::object: {
      const Value dict = NewDict();
      for (const auto& [key, item] : json.items()) {
        Charge(2 * sizeof(Value));
        dict.dict().entries.emplace_back(InputString(key), FromJson(item, depth + 1));
      }
      return dict;
    }
    default:
      return Value();
  }
}

DepthGuard::DepthGuard(uint32_t* depth, uint32_t limit, std::string_view what) : depth_(depth) {
  if (*depth_ >= limit) FailLimit("{} nests deeper than the limit of {}", what, limit);
  ++*depth_;
}

}  // namespace ringlet::jinja
