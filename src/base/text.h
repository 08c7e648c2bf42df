// Text taken from files, in a form that is safe to put in a message.
#pragma once

#include <string>
#include <string_view>

namespace ringlet {

// `text` in double quotes for an error message: at most 60 of its bytes ("..." marks a cut), every
// byte outside printable ASCII, quotes and backslashes escaped, so that a hostile name can neither
// flood a log nor steer a terminal.
std::string Quote(std::string_view text);

}  // namespace ringlet
