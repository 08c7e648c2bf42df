#include "server/chat/tool_grammar.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/chat/xml_call_grammar.h"

namespace ringlet::server {
namespace {

// Where the arguments of tool `i` are, below the schema of a call.
std::string ArgumentsPath(bool list, bool several, size_t i, std::string_view key) {
  return fmt::format("{}{}/properties/{}", list ? "/items" : "",
                     several ? fmt::format("/anyOf/{}", i) : "", key);
}

// Leads references to the root of `schema` to `path`. Values that are no schemas stay as they are.
void MoveReferences(OrderedJson& schema, const std::string& path) {
  if (schema.is_array()) {
    for (OrderedJson& element : schema) MoveReferences(element, path);
  }
  if (!schema.is_object()) return;
  for (auto& [key, value] : schema.items()) {
    if (key == "$ref" && value.is_string()) {
      const std::string& target = value.get_ref<const std::string&>();
      if (target.starts_with('#')) value = "#" + path + target.substr(1);
    } else if (key != "const" && key != "enum" && key != "default" && key != "examples") {
      MoveReferences(value, path);
    }
  }
}

OrderedJson CallSchema(const OrderedJson& function, std::string_view key, const std::string& path) {
  OrderedJson arguments = {{"type", "object"}};
  if (function.contains("parameters")) arguments = function["parameters"];
  MoveReferences(arguments, path);
  // A schema that forgets to say so means an object all the same.
  if (!arguments.contains("type") && !arguments.contains("$ref")) arguments["type"] = "object";
  OrderedJson schema;
  schema["type"] = "object";
  schema["properties"]["name"]["const"] = function["name"];
  schema["properties"][std::string(key)] = std::move(arguments);
  schema["required"] = {"name", key};
  schema["additionalProperties"] = false;
  return schema;
}

// The tools that may be called.
std::vector<const OrderedJson*> Callable(const ToolSettings& settings) {
  std::vector<const OrderedJson*> functions;
  for (const OrderedJson& tool : settings.tools) {
    const OrderedJson& function = tool["function"];
    if (settings.choice.mode == ToolChoice::Mode::kNamed &&
        function["name"] != settings.choice.name) {
      continue;
    }
    functions.push_back(&function);
  }
  return functions;
}

ToolGrammar JsonGrammar(const ToolSyntaxSpec& spec, const std::vector<const OrderedJson*>& tools,
                        bool repeat) {
  OrderedJson calls = OrderedJson::array();
  for (size_t i = 0; i < tools.size(); ++i) {
    calls.push_back(CallSchema(*tools[i], spec.arguments_key,
                               ArgumentsPath(spec.list, tools.size() > 1, i, spec.arguments_key)));
  }
  OrderedJson call = calls[0];
  if (calls.size() > 1) call = {{"anyOf", std::move(calls)}};
  ToolGrammar grammar;
  if (!spec.bare) grammar.trigger = spec.begin[0];
  if (spec.list) {
    grammar.prefix = fmt::format("{} ", spec.begin[0]);
    grammar.schema = {{"type", "array"}, {"minItems", 1}};
    if (!repeat) grammar.schema["maxItems"] = 1;
    grammar.schema["items"] = std::move(call);
    return grammar;
  }
  grammar.schema = std::move(call);
  grammar.repeat = repeat;
  if (spec.bare) {
    grammar.separator = "; ";
  } else {
    grammar.prefix = fmt::format("{}\n", spec.begin[0]);
    grammar.suffix = fmt::format("\n{}", spec.end);
    grammar.separator = "\n";
  }
  return grammar;
}

}  // namespace

Result<ToolGrammar> MakeToolGrammar(ToolSyntax syntax, const ToolSettings& settings,
                                    const std::string& source) {
  if (syntax == ToolSyntax::kNone) {
    return Status(StatusCode::kUnsupported,
                  fmt::format("{}: tool_choice: found a choice of tools, but this model's chat "
                              "template teaches no known syntax of calls",
                              source));
  }
  const std::vector<const OrderedJson*> tools = Callable(settings);
  if (tools.empty()) return BadInput(source, "tools", "none that may be called", "a tool");
  const bool repeat = settings.choice.parallel && settings.choice.mode != ToolChoice::Mode::kNamed;
  const ToolSyntaxSpec& spec = SpecOf(syntax);
  if (spec.json()) return JsonGrammar(spec, tools, repeat);
  ToolGrammar grammar;
  grammar.trigger = spec.begin[0];
  RINGLET_ASSIGN_OR_RETURN(grammar.gbnf, XmlCallGrammar(tools, repeat, source));
  return grammar;
}

}  // namespace ringlet::server
