#include <algorithm>

#include "io/jinja/error.h"
#include "io/jinja/filters.h"
#include "io/jinja/format.h"
#include "io/jinja/operators.h"
#include "io/jinja/selection.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {
namespace {

using Bound = BoundArguments;

Value Default(Runtime& runtime, const Value& input, const Bound& arguments) {
  const bool use = input.IsUndefined() || (arguments.Flag(1, false) && !IsTrue(input));
  if (!use) return input;
  return arguments.Has(0) ? *arguments.Get(0) : runtime.String("");
}

Value LengthOf(Runtime& runtime, const Value& input, const Bound&) {
  if (input.IsString()) runtime.StepText(input.text().size());
  return Value::Int(static_cast<int64_t>(Length(input)));
}

Value First(Runtime& runtime, const Value& input, const Bound&) {
  if (input.IsString()) {
    if (input.text().empty()) return runtime.Undefined("No first item, sequence was empty.");
    return GetItem(runtime, input, Value::Int(0));
  }
  if (input.Is(Kind::kList)) {
    List& list = input.list();
    const size_t at = list.type == ListType::kGenerator ? list.consumed : 0;
    if (at >= list.items.size()) return runtime.Undefined("No first item, sequence was empty.");
    if (list.type == ListType::kGenerator) ++list.consumed;
    return list.items[at];
  }
  const std::vector<Value> items = Iterate(runtime, input);
  if (items.empty()) return runtime.Undefined("No first item, sequence was empty.");
  return items[0];
}

Value Last(Runtime& runtime, const Value& input, const Bound&) {
  RequireDefined(input);
  if (input.IsSequence(ListType::kGenerator)) Fail("'generator' object is not reversible");
  if (input.IsString() && !input.text().empty()) {
    return GetItem(runtime, input, Value::Int(-1));
  }
  if (input.Is(Kind::kList) && !input.list().items.empty()) return input.list().items.back();
  const std::vector<Value> items = Iterate(runtime, input);
  if (items.empty()) return runtime.Undefined("No last item, sequence was empty.");
  return items.back();
}

Value ToList(Runtime& runtime, const Value& input, const Bound&) {
  return runtime.NewList(ListType::kList, Iterate(runtime, input));
}

Value Join(Runtime& runtime, const Value& input, const Bound& arguments) {
  const Value separator = arguments.Has(0) ? Str(runtime, *arguments.Get(0)) : runtime.String("");
  TextBuilder out(runtime);
  bool first = true;
  for (const Value& item : Iterate(runtime, input)) {
    runtime.Step();
    if (!first) out.Append(separator.text());
    first = false;
    AppendStr(out,
              arguments.Given(1) ? LookUpPath(runtime, item, *arguments.Get(1), nullptr) : item);
  }
  return out.Finish();
}

Value Reverse(Runtime& runtime, const Value& input, const Bound&) {
  if (input.IsString()) {
    return Slice(runtime, input, Value(), Value(), Value::Int(-1));
  }
  if (!IsIterable(input)) Fail("argument must be iterable");
  std::vector<Value> items = Iterate(runtime, input);
  std::reverse(items.begin(), items.end());
  // Python's reversed() is an iterator; of a generator Jinja makes a list.
  return runtime.NewList(
      input.IsSequence(ListType::kGenerator) ? ListType::kList : ListType::kGenerator,
      std::move(items));
}

Value Items(Runtime& runtime, const Value& input, const Bound&) {
  const Value pairs = runtime.NewList(ListType::kGenerator);
  if (input.IsUndefined()) return pairs;
  if (!IsMapping(input)) Fail("Can only get item pairs from a mapping.");
  for (const auto& [key, item] : input.dict().entries) {
    runtime.Step();
    runtime.Append(pairs.list(), runtime.Tuple({key, item}));
  }
  return pairs;
}

Value DictSort(Runtime& runtime, const Value& input, const Bound& arguments) {
  RequireDefined(input);
  if (!IsMapping(input)) Fail("'dictsort' needs a mapping, found {}", TypeName(input));
  const std::string_view by = arguments.Text(1, "key");
  if (by != "key" && by != "value") Fail("You can only sort by either \"key\" or \"value\"");
  std::vector<Value> items;
  std::vector<SortKey> keys;
  for (const auto& [key, item] : input.dict().entries) {
    runtime.Step();
    const Value& sorted_by = by == "key" ? key : item;
    keys.push_back({arguments.Flag(0, false) ? sorted_by : IgnoreCase(runtime, sorted_by)});
    items.push_back(runtime.Tuple({key, item}));
  }
  SortByKeys(runtime, items, keys, arguments.Flag(2, false), /*as_lists=*/false);
  return runtime.NewList(ListType::kList, std::move(items));
}

Value Batch(Runtime& runtime, const Value& input, const Bound& arguments) {
  const int64_t count = arguments.Integer(0, 0);
  const Value batches = runtime.NewList(ListType::kGenerator);
  std::vector<Value> batch;
  const auto flush = [&] {
    runtime.Append(batches.list(), runtime.NewList(ListType::kList, std::exchange(batch, {})));
  };
  for (Value& item : Iterate(runtime, input)) {
    runtime.Step();
    if (static_cast<int64_t>(batch.size()) == count) flush();
    batch.push_back(std::move(item));
  }
  if (batch.empty()) return batches;
  if (arguments.Given(1)) {
    const int64_t missing = count - static_cast<int64_t>(batch.size());
    if (missing > 0) {
      runtime.Step(static_cast<uint64_t>(missing));
      runtime.CheckRoom(static_cast<uint64_t>(missing) * sizeof(Value));
      batch.resize(static_cast<size_t>(count), *arguments.Get(1));
    }
  }
  flush();
  return batches;
}

Value SliceFilter(Runtime& runtime, const Value& input, const Bound& arguments) {
  const int64_t slices = arguments.Integer(0, 0);
  if (slices == 0) Fail("'slice' needs at least one slice");
  const std::vector<Value> items = Iterate(runtime, input);
  const Value out = runtime.NewList(ListType::kGenerator);
  if (slices < 0) return out;
  const auto count = static_cast<size_t>(slices);
  const size_t each = items.size() / count;
  const size_t longer = items.size() % count;
  size_t begin = 0;
  for (size_t i = 0; i < count; ++i) {
    runtime.Step();
    const size_t size = each + (i < longer ? 1 : 0);
    const auto first = items.begin() + static_cast<ptrdiff_t>(begin);
    std::vector<Value> slice(first, first + static_cast<ptrdiff_t>(size));
    if (arguments.Given(1) && i >= longer) slice.push_back(*arguments.Get(1));
    runtime.Append(out.list(), runtime.NewList(ListType::kList, std::move(slice)));
    begin += size;
  }
  return out;
}

Value Attr(Runtime& runtime, const Value& input, const Bound& arguments) {
  RequireDefined(input);
  const std::string_view name = arguments.Text(0, "");
  if (std::optional<Value> found = FindAttribute(runtime, input, name)) return *found;
  return runtime.Undefined(
      fmt::format("'{} object' has no attribute '{}'", TypeName(input), name.substr(0, 100)));
}

constexpr FilterSpec kSequenceFilters[] = {
    {"default", {{"default_value", "boolean"}, 0}, Default},
    {"d", {{"default_value", "boolean"}, 0}, Default},
    {"length", {}, LengthOf},
    {"count", {}, LengthOf},
    {"first", {}, First},
    {"last", {}, Last},
    {"list", {}, ToList},
    {"join", {{"d", "attribute"}, 0}, Join},
    {"reverse", {}, Reverse},
    {"items", {}, Items},
    {"dictsort", {{"case_sensitive", "by", "reverse"}, 0}, DictSort},
    {"batch", {{"linecount", "fill_with"}, 1}, Batch},
    {"slice", {{"slices", "fill_with"}, 1}, SliceFilter},
    {"attr", {{"name"}, 1}, Attr},
};

}  // namespace

std::span<const FilterSpec> SequenceFilters() { return kSequenceFilters; }

}  // namespace ringlet::jinja
