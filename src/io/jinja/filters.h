// Filters (value|name) and tests (value is name). Both are looked up when a template is parsed, so
// an unknown name is an error of the template, not of a conversation.
#pragma once

#include <span>
#include <string_view>

#include "io/jinja/binding.h"
#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

struct FilterSpec {
  std::string_view name;
  Signature signature;
  Value (*apply)(Runtime& runtime, const Value& input, const BoundArguments& arguments);
};

struct TestSpec {
  std::string_view name;
  Signature signature;
  bool (*holds)(Runtime& runtime, const Value& input, const BoundArguments& arguments);
};

// Null when there is none of that name.
const FilterSpec* FindFilter(std::string_view name);
const TestSpec* FindTest(std::string_view name);

Value ApplyFilter(Runtime& runtime, const FilterSpec& filter, const Value& input,
                  const Arguments& arguments);
bool ApplyTest(Runtime& runtime, const TestSpec& test, const Value& input,
               const Arguments& arguments);

// The tables, by the file that holds them.
std::span<const FilterSpec> TextFilters();
std::span<const FilterSpec> NumberFilters();
std::span<const FilterSpec> SequenceFilters();
std::span<const FilterSpec> SelectionFilters();

}  // namespace ringlet::jinja
