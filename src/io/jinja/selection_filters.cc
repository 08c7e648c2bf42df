#include <algorithm>
#include <numeric>

#include "io/jinja/error.h"
#include "io/jinja/filters.h"
#include "io/jinja/operators.h"
#include "io/jinja/selection.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {
namespace {

using Bound = BoundArguments;

Arguments Rest(const Arguments& arguments, size_t from) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<ptrdiff_t>(from));
  return rest;
}

std::string_view NameOf(const Value& value, std::string_view what) {
  if (!value.IsString()) Fail("the name of a {} must be a string, not {}", what, TypeName(value));
  return value.text();
}

// Jinja's generators look at nothing when the input is false: none has no items here.
std::vector<Value> ItemsIfTrue(Runtime& runtime, const Value& input) {
  return IsTrue(input) ? Iterate(runtime, input) : std::vector<Value>();
}

Value MapAttribute(Runtime& runtime, const Value& input, Arguments arguments) {
  Value path;
  Value otherwise;
  arguments.Take("attribute", &path);
  const bool has_default = arguments.Take("default", &otherwise) && !otherwise.IsNone();
  if (!arguments.named.empty()) {
    Fail("'map' takes no argument '{}'", arguments.named[0].first.substr(0, 60));
  }
  const Value out = runtime.NewList(ListType::kGenerator);
  for (const Value& item : ItemsIfTrue(runtime, input)) {
    runtime.Step();
    runtime.Append(out.list(), LookUpPath(runtime, item, path, has_default ? &otherwise : nullptr));
  }
  return out;
}

Value Map(Runtime& runtime, const Value& input, const Bound& bound) {
  const Arguments& arguments = bound.all();
  if (arguments.positional.empty()) {
    Value path;
    if (!Arguments(arguments).Take("attribute", &path)) Fail("map requires a filter argument");
    return MapAttribute(runtime, input, arguments);
  }
  const std::string_view name = NameOf(arguments.positional[0], "filter");
  const FilterSpec* filter = FindFilter(name);
  if (filter == nullptr) Fail("there is no filter named '{}'", name.substr(0, 60));
  const Arguments rest = Rest(arguments, 1);
  const Value out = runtime.NewList(ListType::kGenerator);
  for (const Value& item : ItemsIfTrue(runtime, input)) {
    runtime.Step();
    runtime.Append(out.list(), ApplyFilter(runtime, *filter, item, rest));
  }
  return out;
}

// select, reject, selectattr and rejectattr.
template <bool keep, bool by_attribute>
Value Select(Runtime& runtime, const Value& input, const Bound& bound) {
  const Arguments& arguments = bound.all();
  constexpr size_t kTestAt = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty()) Fail("Missing parameter for attribute name");
  const TestSpec* test = nullptr;
  Arguments rest;
  if (arguments.positional.size() > kTestAt) {
    const std::string_view name = NameOf(arguments.positional[kTestAt], "test");
    test = FindTest(name);
    if (test == nullptr) Fail("there is no test named '{}'", name.substr(0, 60));
    rest = Rest(arguments, kTestAt + 1);
  }
  const Value out = runtime.NewList(ListType::kGenerator);
  for (const Value& item : ItemsIfTrue(runtime, input)) {
    runtime.Step();
    const Value tested =
        by_attribute ? LookUpPath(runtime, item, arguments.positional[0], nullptr) : item;
    const bool holds = test != nullptr ? ApplyTest(runtime, *test, tested, rest) : IsTrue(tested);
    if (holds == keep) runtime.Append(out.list(), item);
  }
  return out;
}

// The keys of `items` by a path (or a list of paths "a,b"), in lower case unless told.
std::vector<SortKey> KeysOf(Runtime& runtime, const std::vector<Value>& items, const Value* path,
                            bool case_sensitive, bool many, const Value* otherwise = nullptr) {
  std::vector<Value> paths;
  if (path == nullptr || path->IsNone()) {
    paths = {};
  } else if (many && path->IsString()) {
    for (const std::string_view part : SplitAt(path->text(), ",", -1, false)) {
      paths.push_back(runtime.String(std::string(part)));
    }
  } else {
    paths = {*path};
  }
  std::vector<SortKey> keys;
  keys.reserve(items.size());
  for (const Value& item : items) {
    runtime.Step();
    SortKey key;
    if (paths.empty()) key.push_back(case_sensitive ? item : IgnoreCase(runtime, item));
    for (const Value& one : paths) {
      const Value found = LookUpPath(runtime, item, one, otherwise);
      key.push_back(case_sensitive ? found : IgnoreCase(runtime, found));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

Value Sort(Runtime& runtime, const Value& input, const Bound& arguments) {
  std::vector<Value> items = Iterate(runtime, input);
  const auto keys =
      KeysOf(runtime, items, arguments.Get(2), arguments.Flag(1, false), /*many=*/true);
  SortByKeys(runtime, items, keys, arguments.Flag(0, false), /*as_lists=*/true);
  return runtime.NewList(ListType::kList, std::move(items));
}

template <bool greatest>
Value Extreme(Runtime& runtime, const Value& input, const Bound& arguments) {
  const std::vector<Value> items = Iterate(runtime, input);
  if (items.empty()) return runtime.Undefined("No aggregated item, sequence was empty.");
  const auto keys = KeysOf(runtime, items, arguments.Get(1), arguments.Flag(0, false), false);
  const Operator better = greatest ? Operator::kGreater : Operator::kLess;
  size_t best = 0;
  for (size_t i = 1; i < items.size(); ++i) {
    if (Compare(runtime, better, keys[i][0], keys[best][0])) best = i;
  }
  return items[best];
}

Value Unique(Runtime& runtime, const Value& input, const Bound& arguments) {
  const std::vector<Value> items = Iterate(runtime, input);
  const auto keys = KeysOf(runtime, items, arguments.Get(1), arguments.Flag(0, false), false);
  const Value out = runtime.NewList(ListType::kGenerator);
  std::vector<const Value*> seen;
  for (size_t i = 0; i < items.size(); ++i) {
    RequireHashable(keys[i][0]);
    const bool known = std::any_of(seen.begin(), seen.end(), [&](const Value* other) {
      return Equal(runtime, *other, keys[i][0]);
    });
    if (known) continue;
    seen.push_back(&keys[i][0]);
    runtime.Append(out.list(), items[i]);
  }
  return out;
}

Value GroupBy(Runtime& runtime, const Value& input, const Bound& arguments) {
  std::vector<Value> items = Iterate(runtime, input);
  const Value& path = *arguments.Get(0);
  const Value* otherwise = arguments.Given(1) ? arguments.Get(1) : nullptr;
  const bool case_sensitive = arguments.Flag(2, false);
  auto keys = KeysOf(runtime, items, &path, case_sensitive, false, otherwise);
  SortByKeys(runtime, items, keys, /*reverse=*/false, /*as_lists=*/false);
  keys = KeysOf(runtime, items, &path, case_sensitive, false, otherwise);
  const Value out = runtime.NewList(ListType::kList);
  for (size_t i = 0; i < items.size();) {
    const Value group = runtime.NewList(ListType::kList);
    const size_t first = i;
    for (; i < items.size() && Equal(runtime, keys[i][0], keys[first][0]); ++i) {
      runtime.Append(group.list(), items[i]);
    }
    if (i == first) runtime.Append(group.list(), items[i++]);  // a key unequal to itself: NaN
    const Value grouper = LookUpPath(runtime, items[first], path, otherwise);
    runtime.Append(out.list(), runtime.NewList(ListType::kGroup, {grouper, group}));
  }
  return out;
}

Value Sum(Runtime& runtime, const Value& input, const Bound& arguments) {
  Value total = arguments.Has(1) ? *arguments.Get(1) : Value::Int(0);
  if (total.IsString()) Fail("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : Iterate(runtime, input)) {
    runtime.Step();
    total = Arithmetic(
        runtime, Operator::kAdd, total,
        arguments.Given(0) ? LookUpPath(runtime, item, *arguments.Get(0), nullptr) : item);
  }
  return total;
}

constexpr FilterSpec kSelectionFilters[] = {
    {"map", {{}, 0, true}, Map},
    {"select", {{}, 0, true}, Select<true, false>},
    {"reject", {{}, 0, true}, Select<false, false>},
    {"selectattr", {{}, 0, true}, Select<true, true>},
    {"rejectattr", {{}, 0, true}, Select<false, true>},
    {"sort", {{"reverse", "case_sensitive", "attribute"}, 0}, Sort},
    {"min", {{"case_sensitive", "attribute"}, 0}, Extreme<false>},
    {"max", {{"case_sensitive", "attribute"}, 0}, Extreme<true>},
    {"unique", {{"case_sensitive", "attribute"}, 0}, Unique},
    {"groupby", {{"attribute", "default", "case_sensitive"}, 1}, GroupBy},
    {"sum", {{"attribute", "start"}, 0}, Sum},
};

}  // namespace

std::span<const FilterSpec> SelectionFilters() { return kSelectionFilters; }

Value LookUpPath(Runtime& runtime, const Value& item, const Value& path, const Value* otherwise) {
  Value found = item;
  if (!path.IsString()) {
    found = GetItem(runtime, item, path);
    return found.IsUndefined() && otherwise != nullptr ? *otherwise : found;
  }
  for (const std::string_view part : SplitAt(path.text(), ".", -1, false)) {
    runtime.Step();
    const bool index = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    const Value key =
        index ? Value::Int(ParseInteger(part, 10).value_or(0)) : runtime.String(std::string(part));
    found = GetItem(runtime, found, key);
    if (found.IsUndefined() && otherwise != nullptr) found = *otherwise;
  }
  return found;
}

Value IgnoreCase(Runtime& runtime, const Value& value) {
  return value.IsString() ? runtime.String(ToLower(value.text())) : value;
}

void SortByKeys(Runtime& runtime, std::vector<Value>& items, const std::vector<SortKey>& keys,
                bool reverse, bool as_lists) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto before = [&](size_t a, size_t b) {
    runtime.Step();
    for (size_t i = 0; i < keys[a].size(); ++i) {
      if (as_lists && Equal(runtime, keys[a][i], keys[b][i])) continue;
      return Compare(runtime, reverse ? Operator::kGreater : Operator::kLess, keys[a][i],
                     keys[b][i]);
    }
    return false;
  };
  std::stable_sort(order.begin(), order.end(), before);
  std::vector<Value> sorted;
  sorted.reserve(items.size());
  for (const size_t index : order) sorted.push_back(items[index]);
  items = std::move(sorted);
}

}  // namespace ringlet::jinja
