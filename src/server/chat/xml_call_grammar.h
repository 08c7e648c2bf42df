// GBNF of calls in tags, as XmlCallReader reads them.
#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "base/status.h"

namespace ringlet::server {

// Whether a parameter with this schema (null: none) is a string as it stands between the tags,
// rather than JSON.
bool IsTextParameter(const OrderedJson* schema);

// One call of one of `functions` (ToolSettings::tools), with `repeat` one or more, one to a line.
// Parameters come in the order of the schema, required ones always. Errors: kUnsupported for a
// parameter whose name cannot stand in a tag.
Result<std::string> XmlCallGrammar(std::span<const OrderedJson* const> functions, bool repeat,
                                   const std::string& source);

}  // namespace ringlet::server
