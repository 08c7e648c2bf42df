#include "io/jinja/methods.h"

#include <algorithm>
#include <span>

#include "io/jinja/binding.h"
#include "io/jinja/error.h"
#include "io/jinja/loop.h"
#include "io/jinja/method_table.h"
#include "io/jinja/operators.h"

namespace ringlet::jinja {
namespace {

size_t ClampedIndex(int64_t index, size_t size) {
  const auto count = static_cast<int64_t>(size);
  if (index < 0) index = std::max<int64_t>(index + count, 0);
  return static_cast<size_t>(std::min(index, count));
}

Value ListAppend(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  runtime.Append(self.list(), *arguments.Get(0));
  return Value();
}

Value ListExtend(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  RequireDefined(*arguments.Get(0));
  for (Value& item : Iterate(runtime, *arguments.Get(0))) {
    runtime.Append(self.list(), std::move(item));
  }
  return Value();
}

Value ListInsert(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  List& list = self.list();
  runtime.Insert(list, ClampedIndex(arguments.Integer(0, 0), list.items.size()), *arguments.Get(1));
  return Value();
}

Value ListPop(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  std::vector<Value>& items = self.list().items;
  int64_t index = arguments.Integer(0, -1);
  if (items.empty()) Fail("pop from empty list");
  if (index < 0) index += static_cast<int64_t>(items.size());
  if (index < 0 || index >= static_cast<int64_t>(items.size())) Fail("pop index out of range");
  const auto at = items.begin() + static_cast<ptrdiff_t>(index);
  runtime.StepItems(static_cast<size_t>(items.end() - at));
  Value item = std::move(*at);
  items.erase(at);
  return item;
}

Value ListRemove(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  std::vector<Value>& items = self.list().items;
  for (auto it = items.begin(); it != items.end(); ++it) {
    if (!Equal(runtime, *it, *arguments.Get(0))) continue;
    items.erase(it);
    return Value();
  }
  Fail("list.remove(x): x not in list");
}

Value ListReverse(Runtime& runtime, const Value& self, const BoundArguments&) {
  runtime.StepItems(self.list().items.size());
  std::reverse(self.list().items.begin(), self.list().items.end());
  return Value();
}

Value ListCopy(Runtime& runtime, const Value& self, const BoundArguments&) {
  return runtime.NewList(ListType::kList, Iterate(runtime, self));
}

Value SequenceIndex(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  const std::vector<Value>& items = self.list().items;
  const size_t begin = ClampedIndex(arguments.Integer(1, 0), items.size());
  const size_t end = ClampedIndex(arguments.Integer(2, INT64_MAX), items.size());
  for (size_t i = begin; i < end; ++i) {
    if (Equal(runtime, items[i], *arguments.Get(0))) return Value::Int(static_cast<int64_t>(i));
  }
  Fail("the value is not in the {}", TypeName(self));
}

Value SequenceCount(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  int64_t count = 0;
  for (const Value& item : self.list().items) count += Equal(runtime, item, *arguments.Get(0));
  return Value::Int(count);
}

constexpr Method kListMethods[] = {
    {"append", {{"object"}, 1}, ListAppend},
    {"extend", {{"iterable"}, 1}, ListExtend},
    {"insert", {{"index", "object"}, 2}, ListInsert},
    {"pop", {{"index"}, 0}, ListPop},
    {"remove", {{"value"}, 1}, ListRemove},
    {"reverse", {}, ListReverse},
    {"copy", {}, ListCopy},
    {"index", {{"value", "start", "stop"}, 1}, SequenceIndex},
    {"count", {{"value"}, 1}, SequenceCount},
};

constexpr Method kTupleMethods[] = {
    {"index", {{"value", "start", "stop"}, 1}, SequenceIndex},
    {"count", {{"value"}, 1}, SequenceCount},
};

Value DictView(Runtime& runtime, const Value& self, ListType type) {
  const Value view = runtime.NewList(type);
  for (const auto& [key, item] : self.dict().entries) {
    runtime.Step();
    runtime.Append(view.list(), type == ListType::kKeys     ? key
                                : type == ListType::kValues ? item
                                                            : runtime.Tuple({key, item}));
  }
  return view;
}

Value DictGet(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  const Value* found = runtime.Get(self.dict(), *arguments.Get(0));
  if (found != nullptr) return *found;
  return arguments.Has(1) ? *arguments.Get(1) : Value();
}

Value DictPop(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  Dict& dict = self.dict();
  const Value* found = runtime.Get(dict, *arguments.Get(0));
  if (found == nullptr) {
    if (arguments.Has(1)) return *arguments.Get(1);
    Fail("dict.pop: the key is not in the dict");
  }
  const auto at = std::find_if(dict.entries.begin(), dict.entries.end(),
                               [&](const auto& entry) { return &entry.second == found; });
  Value item = *found;
  dict.entries.erase(at);
  return item;
}

Value DictSetDefault(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  if (const Value* found = runtime.Get(self.dict(), *arguments.Get(0))) return *found;
  Value item = arguments.Has(1) ? *arguments.Get(1) : Value();
  runtime.Set(self.dict(), *arguments.Get(0), item);
  return item;
}

Value DictUpdate(Runtime& runtime, const Value& self, const BoundArguments& arguments) {
  UpdateDict(runtime, self.dict(), arguments.all());
  return Value();
}

Value DictCopy(Runtime& runtime, const Value& self, const BoundArguments&) {
  const Value copy = runtime.NewDict();
  runtime.StepItems(self.dict().entries.size());
  runtime.Charge(self.dict().entries.size() * 2 * sizeof(Value));
  copy.dict().entries = self.dict().entries;
  return copy;
}

constexpr Method kDictMethods[] = {
    {"get", {{"key", "default"}, 1}, DictGet},
    {"items",
     {},
     [](Runtime& runtime, const Value& self, const BoundArguments&) {
       return DictView(runtime, self, ListType::kItems);
     }},
    {"keys",
     {},
     [](Runtime& runtime, const Value& self, const BoundArguments&) {
       return DictView(runtime, self, ListType::kKeys);
     }},
    {"values",
     {},
     [](Runtime& runtime, const Value& self, const BoundArguments&) {
       return DictView(runtime, self, ListType::kValues);
     }},
    {"pop", {{"key", "default"}, 1}, DictPop},
    {"setdefault", {{"key", "default"}, 1}, DictSetDefault},
    {"update", {{}, 0, true}, DictUpdate},
    {"copy", {}, DictCopy},
};

constexpr Method kLoopMethods[] = {
    {"cycle",
     {{}, 0, true},
     [](Runtime&, const Value& self, const BoundArguments& arguments) {
       return self.object<Loop>().Cycle(arguments.all().positional);
     }},
    {"changed",
     {{}, 0, true},
     [](Runtime&, const Value& self, const BoundArguments& arguments) {
       return Value::Bool(self.object<Loop>().Changed(arguments.all().positional));
     }},
};

constexpr Method kCyclerMethods[] = {
    {"next",
     {},
     [](Runtime&, const Value& self, const BoundArguments&) {
       auto& cycler = self.object<Cycler>();
       const Value item = cycler.items[cycler.position];
       cycler.position = (cycler.position + 1) % cycler.items.size();
       return item;
     }},
    {"reset",
     {},
     [](Runtime&, const Value& self, const BoundArguments&) {
       self.object<Cycler>().position = 0;
       return Value();
     }},
};

std::span<const Method> MethodsOf(const Value& receiver) {
  switch (receiver.kind()) {
    case Kind::kString:
      return StringMethods();
    case Kind::kDict:
      return kDictMethods;
    case Kind::kLoop:
      return kLoopMethods;
    case Kind::kCycler:
      return kCyclerMethods;
    case Kind::kList:
      if (receiver.list().type == ListType::kList) return kListMethods;
      if (receiver.list().type <= ListType::kRange) return kTupleMethods;
      return {};
    default:
      return {};
  }
}

const Method* FindMethod(const Value& receiver, std::string_view name) {
  for (const Method& method : MethodsOf(receiver)) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace

bool HasMethod(const Value& receiver, std::string_view name) {
  return FindMethod(receiver, name) != nullptr;
}

Value CallMethod(Runtime& runtime, const Value& receiver, std::string_view name,
                 const Arguments& arguments) {
  const Method* method = FindMethod(receiver, name);
  RINGLET_CHECK(method != nullptr, name);
  return method->call(runtime, receiver, BoundArguments(name, method->signature, arguments));
}

void UpdateDict(Runtime& runtime, Dict& dict, const Arguments& arguments) {
  if (arguments.positional.size() > 1) {
    Fail("a dict takes at most one positional argument, found {}", arguments.positional.size());
  }
  for (const Value& source : arguments.positional) {
    if (source.Is(Kind::kDict) || source.Is(Kind::kNamespace)) {
      const auto entries = source.dict().entries;  // the source may be the target
      for (const auto& [key, item] : entries) runtime.Set(dict, key, item);
      continue;
    }
    RequireDefined(source);
    for (const Value& pair : Iterate(runtime, source)) {
      const std::vector<Value> parts = Iterate(runtime, pair);
      if (parts.size() != 2) Fail("a dict is made of pairs, found {} item(s)", parts.size());
      runtime.Set(dict, parts[0], parts[1]);
    }
  }
  for (const auto& [name, item] : arguments.named) runtime.Set(dict, runtime.String(name), item);
}

}  // namespace ringlet::jinja
