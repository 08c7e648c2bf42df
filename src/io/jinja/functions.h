// The functions that templates call by name: range, namespace, dict, cycler, joiner,
// raise_exception, strftime_now.
#pragma once

#include <optional>
#include <string_view>

#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

// The function as a value, or nullopt.
std::optional<Value> FindFunction(std::string_view name);

Value CallFunction(Runtime& runtime, const Value& function, const Arguments& arguments);

}  // namespace ringlet::jinja
