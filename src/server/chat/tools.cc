#include "server/chat/tools.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace ringlet::server {
namespace {

using Mode = ToolChoice::Mode;

constexpr size_t kMaxName = 128;

bool GoodName(std::string_view name) {
  constexpr std::string_view kOthers = "_.:/-";
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

// One tool from an object with a name, a description and, as `schema_key`, a schema. What the
// client left out is left out, and its order stays: templates print the object.
Result<OrderedJson> Function(const RequestField& field, std::string_view schema_key) {
  RINGLET_ASSIGN_OR_RETURN(const RequestField name_field, field.Get("name"));
  RINGLET_ASSIGN_OR_RETURN(const std::string name, name_field.String());
  if (!GoodName(name)) {
    return name_field.Unexpected(
        fmt::format("1 to {} letters, digits and _.:/- characters", kMaxName));
  }
  if (const auto schema = field.Find(schema_key)) RINGLET_RETURN_IF_ERROR(schema->ExpectObject());
  RINGLET_RETURN_IF_ERROR(field.StringOf("description").status());
  OrderedJson function;
  for (const auto& [key, value] : field.value().items()) {
    if (value.is_null()) continue;
    if (key == "name" || key == "description") function[key] = value;
    if (key == schema_key) function["parameters"] = value;
  }
  return function;
}

// The tools of a body, each read by `read`.
template <typename Read>
Result<OrderedJson> ReadTools(const RequestField& body, Read&& read) {
  const std::optional<RequestField> list = body.Find("tools");
  if (!list) return OrderedJson();
  RINGLET_RETURN_IF_ERROR(list->ExpectArray());
  if (list->size() > kMaxTools) {
    return list->Unexpected(fmt::format("at most {} tools", kMaxTools));
  }
  OrderedJson tools = OrderedJson::array();
  for (size_t i = 0; i < list->size(); ++i) {
    RINGLET_ASSIGN_OR_RETURN(OrderedJson function, read(list->Element(i)));
    if (FindTool(tools, function["name"].template get_ref<const std::string&>()) != nullptr) {
      return list->Element(i).Unexpected("a tool with a name of its own");
    }
    tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return tools.empty() ? OrderedJson() : tools;
}

Status ExpectType(const RequestField& field, std::string_view type) {
  RINGLET_ASSIGN_OR_RETURN(const RequestField found, field.Get("type"));
  return found.value() == type ? Status::Ok() : found.Unexpected(fmt::format("\"{}\"", type));
}

// "none", "auto", `required`; nothing for other values.
std::optional<Mode> ModeOf(const OrderedJson& value, std::string_view required) {
  if (value == "none") return Mode::kNone;
  if (value == "auto") return Mode::kAuto;
  if (value == required) return Mode::kRequired;
  return std::nullopt;
}

Status Name(const RequestField& field, ToolChoice& choice) {
  choice.mode = Mode::kNamed;
  RINGLET_ASSIGN_OR_RETURN(const RequestField name, field.Get("name"));
  RINGLET_ASSIGN_OR_RETURN(choice.name, name.String());
  return Status::Ok();
}

// What the choice and the tools mean together.
Result<ToolSettings> Settle(const RequestField& body, ToolSettings settings) {
  const auto choice = body.Find("tool_choice");
  if (settings.choice.mode == Mode::kRequired && settings.tools.is_null()) {
    return choice->Unexpected("tools in the request");
  }
  if (settings.choice.mode == Mode::kNamed &&
      FindTool(settings.tools, settings.choice.name) == nullptr) {
    return choice->Unexpected(
        fmt::format("the name of a tool, not {}", Quote(settings.choice.name)));
  }
  if (settings.tools.is_null()) settings.choice.mode = Mode::kNone;
  if (settings.choice.mode == Mode::kNone) settings.tools = OrderedJson();
  return settings;
}

// OpenAI's two interfaces differ in whether name and schema are inside of "function".
Result<ToolSettings> OpenAi(const RequestField& body, bool nested) {
  ToolSettings settings;
  const auto read = [&](const RequestField& tool) -> Result<OrderedJson> {
    RINGLET_RETURN_IF_ERROR(ExpectType(tool, "function"));
    if (!nested) {
      RINGLET_RETURN_IF_ERROR(
          tool.ExpectObject({"type", "name", "description", "parameters", "strict"}));
      return Function(tool, "parameters");
    }
    RINGLET_RETURN_IF_ERROR(tool.ExpectObject({"type", "function"}));
    RINGLET_ASSIGN_OR_RETURN(const RequestField function, tool.Get("function"));
    RINGLET_RETURN_IF_ERROR(function.ExpectObject({"name", "description", "parameters", "strict"}));
    return Function(function, "parameters");
  };
  RINGLET_ASSIGN_OR_RETURN(settings.tools, ReadTools(body, read));
  RINGLET_ASSIGN_OR_RETURN(settings.choice.parallel, body.BoolOf("parallel_tool_calls", true));
  if (const auto choice = body.Find("tool_choice")) {
    if (const auto mode = ModeOf(choice->value(), "required")) {
      settings.choice.mode = *mode;
    } else if (!choice->value().is_object()) {
      return choice->Unexpected("\"none\", \"auto\", \"required\" or an object");
    } else {
      RINGLET_RETURN_IF_ERROR(ExpectType(*choice, "function"));
      RINGLET_ASSIGN_OR_RETURN(const RequestField named,
                               nested ? choice->Get("function") : Result<RequestField>(*choice));
      RINGLET_RETURN_IF_ERROR(Name(named, settings.choice));
    }
  }
  return Settle(body, std::move(settings));
}

}  // namespace

Result<ToolSettings> ToolsOfChatCompletions(const RequestField& body) {
  return OpenAi(body, /*nested=*/true);
}

Result<ToolSettings> ToolsOfResponses(const RequestField& body) {
  return OpenAi(body, /*nested=*/false);
}

Result<ToolSettings> ToolsOfAnthropic(const RequestField& body) {
  ToolSettings settings;
  const auto read = [](const RequestField& tool) -> Result<OrderedJson> {
    RINGLET_RETURN_IF_ERROR(tool.ExpectObject());
    // Absent, or "custom"; the others are tools that Anthropic's servers run.
    if (tool.Find("type")) RINGLET_RETURN_IF_ERROR(ExpectType(tool, "custom"));
    // cache_control concerns no answer: any prefix of a prompt is reused here.
    RINGLET_RETURN_IF_ERROR(
        tool.ExpectObject({"type", "name", "description", "input_schema", "cache_control"}));
    return Function(tool, "input_schema");
  };
  RINGLET_ASSIGN_OR_RETURN(settings.tools, ReadTools(body, read));
  if (const auto choice = body.Find("tool_choice")) {
    RINGLET_RETURN_IF_ERROR(choice->ExpectObject({"type", "name", "disable_parallel_tool_use"}));
    RINGLET_ASSIGN_OR_RETURN(const bool single, choice->BoolOf("disable_parallel_tool_use", false));
    settings.choice.parallel = !single;
    RINGLET_ASSIGN_OR_RETURN(const RequestField type, choice->Get("type"));
    if (const auto mode = ModeOf(type.value(), "any")) {
      settings.choice.mode = *mode;
    } else if (type.value() == "tool") {
      RINGLET_RETURN_IF_ERROR(Name(*choice, settings.choice));
    } else {
      return type.Unexpected("\"auto\", \"any\", \"tool\" or \"none\"");
    }
  }
  return Settle(body, std::move(settings));
}

const OrderedJson* FindTool(const OrderedJson& tools, std::string_view name) {
  if (!tools.is_array()) return nullptr;
  for (const OrderedJson& tool : tools) {
    if (!tool.is_object() || !tool.contains("function")) continue;
    const OrderedJson& function = tool.find("function").value();
    if (!function.is_object() || !function.contains("name")) continue;
    if (function.find("name").value() == name) return &function;
  }
  return nullptr;
}

}  // namespace ringlet::server
