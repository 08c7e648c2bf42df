// GBNF text to an automaton.
#pragma once

#include <string_view>

#include "base/status.h"
#include "io/grammar/automaton.h"

namespace ringlet::grammar {

// Errors: see Grammar::FromGbnf.
Result<Automaton> CompileGbnf(std::string_view text, std::string_view source);

}  // namespace ringlet::grammar
