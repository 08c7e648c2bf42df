#include "server/chat/xml_call_grammar.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace ringlet::server {
namespace {

constexpr std::string_view kJsonRules =
    R"(json ::= object | array | string | number | boolean | "null"
object ::= "{" space (member ("," space member)*)? "}"
member ::= string ":" space json
array ::= "[" space (json ("," space json)*)? "]"
string ::= "\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" hex hex hex hex))* "\""
hex ::= [0-9a-fA-F]
number ::= integer ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
integer ::= "-"? ("0" | [1-9] [0-9]*)
boolean ::= "true" | "false"
space ::= " "?
)";

// Texts without the tag that ends a value, whichever characters of it they have. Regular, and not
// recursive: a value may be long, and the depth of rules is limited.
std::string TextRules() {
  constexpr std::string_view kRest = "/parameter>";  // after "<"
  std::vector<std::string> back = {"\"<\""};
  std::vector<std::string> on = {"[^</]"};
  std::vector<std::string> end;
  for (size_t n = 1; n < kRest.size(); ++n) {
    const std::string_view read = kRest.substr(0, n);
    back.push_back(fmt::format("\"{}<\"", read));
    on.push_back(fmt::format("\"{}\" [^<{}]", read, kRest[n]));
    end.push_back(fmt::format("\"{}\"", read));
  }
  return fmt::format(
      "text ::= ([^<] | \"<\" back* on)* (\"<\" back* end?)?\nback ::= {}\non ::= {}\nend ::= {}\n",
      fmt::join(back, " | "), fmt::join(on, " | "), fmt::join(end, " | "));
}

std::string Literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

// Ends of values cannot be told from these.
bool WritableName(std::string_view name) {
  return !name.empty() && name.size() <= 256 && std::ranges::none_of(name, [](char c) {
    return c == '<' || c == '>' || static_cast<unsigned char>(c) < 0x20;
  });
}

// What may stand between the tags of a parameter.
std::string ValueRule(const OrderedJson* schema) {
  const bool text = IsTextParameter(schema);
  if (schema == nullptr || !schema->is_object()) return "text";
  OrderedJson values;
  if (schema->contains("enum")) values = (*schema)["enum"];
  if (schema->contains("const")) values = OrderedJson::array({(*schema)["const"]});
  std::vector<std::string> literals;
  for (const OrderedJson& value : values.is_array() ? values : OrderedJson::array()) {
    literals.push_back(
        Literal(text && value.is_string()
                    ? value.get<std::string>()
                    : value.dump(-1, ' ', true, OrderedJson::error_handler_t::replace)));
  }
  if (!literals.empty()) return fmt::format("({})", fmt::join(literals, " | "));
  if (text) return "text";
  const OrderedJson type = schema->value("type", OrderedJson());
  for (const std::string_view rule : {"object", "array", "number", "integer", "boolean"}) {
    if (type == rule) return std::string(rule);
  }
  return type == "null" ? "\"null\"" : "json";
}

bool Required(const OrderedJson& parameters, const std::string& key) {
  if (!parameters.contains("required") || !parameters["required"].is_array()) return false;
  const OrderedJson& required = parameters["required"];
  return std::ranges::find(required, OrderedJson(key)) != required.end();
}

Result<std::string> FunctionRule(const OrderedJson& function, const std::string& source) {
  const std::string name = function["name"].get<std::string>();
  std::string rule = Literal(fmt::format("<function={}>\n", name));
  OrderedJson parameters;
  if (function.contains("parameters")) parameters = function["parameters"];
  OrderedJson properties;
  if (parameters.is_object() && parameters.contains("properties")) {
    properties = parameters["properties"];
  }
  if (properties.is_object()) {
    for (const auto& [key, schema] : properties.items()) {
      if (!WritableName(key)) {
        return Status(StatusCode::kUnsupported,
                      fmt::format("{}: tools: found the parameter {} of {}, which cannot stand in "
                                  "a tag",
                                  source, Quote(key), name));
      }
      rule += fmt::format(" ({} {} {}){}", Literal(fmt::format("<parameter={}>\n", key)),
                          ValueRule(&schema), Literal("\n</parameter>\n"),
                          Required(parameters, key) ? "" : "?");
    }
  }
  return rule + " " + Literal("</function>\n");
}

}  // namespace

bool IsTextParameter(const OrderedJson* schema) {
  if (schema == nullptr || !schema->is_object()) return true;
  const auto is_string = [](const OrderedJson& value) { return value.is_string(); };
  const auto type = schema->find("type");
  if (type != schema->end()) {
    if (!type->is_array()) return *type == "string";
    return std::ranges::find(*type, OrderedJson("string")) != type->end();
  }
  const auto values = schema->find("enum");
  if (values != schema->end() && values->is_array()) return std::ranges::any_of(*values, is_string);
  if (schema->contains("const")) return is_string((*schema)["const"]);
  for (const std::string_view key : {"anyOf", "oneOf", "allOf", "$ref", "properties", "items"}) {
    if (schema->contains(key)) return false;
  }
  return true;
}

Result<std::string> XmlCallGrammar(std::span<const OrderedJson* const> functions, bool repeat,
                                   const std::string& source) {
  std::vector<std::string> names;
  std::string rules;
  for (size_t i = 0; i < functions.size(); ++i) {
    RINGLET_ASSIGN_OR_RETURN(const std::string rule, FunctionRule(*functions[i], source));
    names.push_back(fmt::format("function-{}", i));
    rules += fmt::format("{} ::= {}\n", names.back(), rule);
  }
  return fmt::format("root ::= call{}\ncall ::= \"<tool_call>\\n\" ({}) \"</tool_call>\"\n{}{}{}",
                     repeat ? " (\"\\n\" call)*" : "", fmt::join(names, " | "), rules, TextRules(),
                     kJsonRules);
}

}  // namespace ringlet::server
