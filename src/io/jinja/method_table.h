// Rows of the method tables, and the table of str, which has a file of its own.
#pragma once

#include <span>
#include <string_view>

#include "io/jinja/binding.h"
#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

struct Method {
  std::string_view name;
  Signature signature;
  Value (*call)(Runtime& runtime, const Value& self, const BoundArguments& arguments);
};

std::span<const Method> StringMethods();

}  // namespace ringlet::jinja
