// Grammars that generated text is held to: structured output.
//
// What is accepted as a whole text is valid, always; what a grammar asks for and cannot be enforced
// is refused when it is compiled. docs/grammar.md lists both, and the limits.
#pragma once

#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "io/grammar/automaton.h"

namespace ringlet {

// Immutable; any number of threads and sequences may use one.
class Grammar {
 public:
  // Errors of the two name `source` and the rule and line, or the JSON pointer and keyword:
  // kInvalidInput for what is malformed or matches no text, kUnsupported for what is well formed
  // and not enforced here (a keyword, left recursion), kResource beyond a limit of
  // io/grammar/limits.h.

  // GBNF; the text begins with the rule "root".
  static Result<std::shared_ptr<const Grammar>> FromGbnf(std::string_view text,
                                                         std::string_view source);
  // JSON Schema, draft 2020-12. Texts are JSON with the declared properties in the order of their
  // declaration and at most one space or line break between two tokens.
  static Result<std::shared_ptr<const Grammar>> FromJsonSchema(const OrderedJson& schema,
                                                               std::string_view source);
  // Any JSON object of at most 64 levels.
  static std::shared_ptr<const Grammar> AnyJsonObject();

  explicit Grammar(grammar::Automaton automaton) : automaton_(std::move(automaton)) {}
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  const grammar::Automaton& automaton() const { return automaton_; }

 private:
  const grammar::Automaton automaton_;
};

}  // namespace ringlet
