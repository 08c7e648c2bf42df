// The formats of JSON Schema that are enforced, as patterns.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringlet::grammar {

// A pattern, anchored, whose texts all have the format; nothing for formats that are not enforced.
// Some are narrower than the format: no leap seconds, no quoted or literal parts of mail addresses,
// host names of at most three labels and without two hyphens in a row, URIs with a host name.
std::optional<std::string> FormatPattern(std::string_view format);

}  // namespace ringlet::grammar
