// Methods of str, list, dict and the small objects, by name.
#pragma once

#include <string_view>

#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

bool HasMethod(const Value& receiver, std::string_view name);

// Requires HasMethod.
Value CallMethod(Runtime& runtime, const Value& receiver, std::string_view name,
                 const Arguments& arguments);

// dict.update and dict(): one mapping or iterable of pairs, then the named arguments.
void UpdateDict(Runtime& runtime, Dict& dict, const Arguments& arguments);

}  // namespace ringlet::jinja
