// What the filters that look at an attribute of each item share: paths, sort keys.
#pragma once

#include <vector>

#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

// item.a.b for the path "a.b", item[0] for 0 or "0". `otherwise` replaces what is undefined, if
// not null.
Value LookUpPath(Runtime& runtime, const Value& item, const Value& path, const Value* otherwise);

// A string in lower case, anything else as it is.
Value IgnoreCase(Runtime& runtime, const Value& value);

using SortKey = std::vector<Value>;

// Stable, like Python's sorted(); reversed order keeps equal items in their order too. Keys compare
// as lists (an element decides only where the two differ) or as their one element alone, which
// fails for equal elements without an order.
void SortByKeys(Runtime& runtime, std::vector<Value>& items, const std::vector<SortKey>& keys,
                bool reverse, bool as_lists);

}  // namespace ringlet::jinja
