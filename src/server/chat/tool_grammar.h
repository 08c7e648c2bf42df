// What calls of tools look like, for a compiler of grammars: data from which a model can be held to
// well-formed calls.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"
#include "server/chat/tool_syntax.h"
#include "server/chat/tools.h"

namespace ringlet::server {

// The texts prefix, JSON of `schema`, suffix; with `repeat` any number more of these, each after
// `separator`. Or, where a call is not JSON, those of `gbnf`, which then is all there is.
struct ToolGrammar {
  std::string prefix;
  OrderedJson schema;
  std::string suffix;
  std::string separator;
  bool repeat = false;
  std::string gbnf;
  // With tool_choice "auto" the grammar is engaged once the model has written this, with which its
  // texts begin. Empty: the syntax has no such marker, and "auto" stays free.
  std::string trigger;
};

// The schemas of the tools' arguments are embedded as they are, with the $refs into them led to
// their new place; whether they can be enforced is the compiler's to say. In kQwenCoder's tags only
// names, required parameters, types, and enumerations hold. kNamed and parallel = false allow one
// call, others one or more. Errors: kUnsupported where the template teaches no syntax of calls or a
// parameter's name cannot be written in the syntax; kInvalidInput when there are no tools. `source`
// names the request.
Result<ToolGrammar> MakeToolGrammar(ToolSyntax syntax, const ToolSettings& settings,
                                    const std::string& source);

}  // namespace ringlet::server
