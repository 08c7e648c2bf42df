// Regular expressions of JSON Schema (ECMA-262, in Unicode mode) as parts of an automaton.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "io/grammar/automaton.h"
#include "io/grammar/json_text.h"

namespace ringlet::grammar {

// The characters of a JSON string, without its quotes, that contain a match of `pattern`: all of
// them when the pattern is anchored, as patterns that constrain usually are.
//
// Understood: alternatives, groups (also (?: and (?<name>), classes, ., \d \w \s and their
// complements, escapes of characters, greedy and lazy quantifiers, ^ at the beginning and $ at the
// end of an alternative outside groups. Errors name `where`: kUnsupported for everything else
// (assertions, back references, properties), kInvalidInput for bad syntax, kResource for limits.
Result<Fragment> CompilePattern(std::string_view pattern, const std::string& where,
                                AutomatonBuilder& builder, JsonText& json);

}  // namespace ringlet::grammar
