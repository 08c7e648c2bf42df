// Text taken from files: validity, and a form that is safe to put in a message.
#pragma once

#include <string>
#include <string_view>

namespace ringlet {

// True when `text` is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

// `text` in double quotes for an error message: at most 60 of its bytes ("..." marks a cut), every
// byte outside printable ASCII, quotes and backslashes escaped, so that a hostile name can neither
// flood a log nor steer a terminal.
std::string Quote(std::string_view text);

}  // namespace ringlet
