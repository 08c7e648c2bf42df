#include "io/jinja/filters.h"

namespace ringlet::jinja {

const FilterSpec* FindFilter(std::string_view name) {
  for (const auto table : {TextFilters(), NumberFilters(), SequenceFilters(), SelectionFilters()}) {
    for (const FilterSpec& filter : table) {
      if (filter.name == name) return &filter;
    }
  }
  return nullptr;
}

Value ApplyFilter(Runtime& runtime, const FilterSpec& filter, const Value& input,
                  const Arguments& arguments) {
  return filter.apply(runtime, input, BoundArguments(filter.name, filter.signature, arguments));
}

bool ApplyTest(Runtime& runtime, const TestSpec& test, const Value& input,
               const Arguments& arguments) {
  return test.holds(runtime, input, BoundArguments(test.name, test.signature, arguments));
}

}  // namespace ringlet::jinja
