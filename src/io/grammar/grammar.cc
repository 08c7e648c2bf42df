#include "io/grammar/grammar.h"

#include <utility>

#include "io/grammar/gbnf.h"
#include "io/grammar/json_text.h"
#include "io/grammar/schema_compiler.h"

namespace ringlet {
namespace {

Result<std::shared_ptr<const Grammar>> Share(Result<grammar::Automaton> automaton) {
  if (!automaton.ok()) return automaton.status();
  return std::make_shared<const Grammar>(std::move(*automaton));
}

}  // namespace

Result<std::shared_ptr<const Grammar>> Grammar::FromGbnf(std::string_view text,
                                                         std::string_view source) {
  return Share(grammar::CompileGbnf(text, source));
}

Result<std::shared_ptr<const Grammar>> Grammar::FromJsonSchema(const OrderedJson& schema,
                                                               std::string_view source) {
  return Share(grammar::CompileJsonSchema(schema, source));
}

std::shared_ptr<const Grammar> Grammar::AnyJsonObject() {
  grammar::AutomatonBuilder builder;
  grammar::JsonText json(builder);
  const grammar::Fragment root = builder.NewFragment();
  json.AnyObject(root.start, root.end);
  return Share(builder.Finish(root, "json_object")).value();
}

}  // namespace ringlet
