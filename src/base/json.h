// JSON: nlohmann's library behind strict parsing that cannot throw.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/status.h"

namespace ringlet {

using Json = nlohmann::json;
// Keeps key order, for text that is shown or rendered again. Insertion is linear in the size of the
// object: not for vocabularies.
using OrderedJson = nlohmann::ordered_json;

// Parses `text`. Errors name `source`: bad syntax (with the byte offset), duplicate keys in an
// object (compared after unescaping), nesting deeper than 64, bad UTF-8, NUL bytes, trailing
// characters.
Result<Json> ParseJson(std::string_view text, std::string_view source);
Result<OrderedJson> ParseOrderedJson(std::string_view text, std::string_view source);
Result<Json> ReadJsonFile(const std::string& path, uint64_t max_bytes = uint64_t{1} << 28);

// What the library says about a syntax error, without the offending token: that can be megabytes of
// anything.
std::string JsonErrorText(const nlohmann::detail::exception& error);

// "a string", "an object", "null", ... for error messages.
std::string_view JsonTypeName(const Json& value);

// The value as text, cut to 60 characters, for error messages.
std::string JsonBrief(const Json& value);

}  // namespace ringlet
