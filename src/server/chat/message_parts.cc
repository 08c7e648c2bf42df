#include "server/chat/message_parts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ringlet::server {
namespace {

std::string Types(std::span<const TextPart> parts) {
  std::vector<std::string> types;
  for (const TextPart& part : parts) types.push_back(fmt::format("\"{}\"", part.type));
  return fmt::format("{}", fmt::join(types, " or "));
}

}  // namespace

Status ExpectMessages(const RequestField& list) {
  RINGLET_RETURN_IF_ERROR(list.ExpectArray());
  if (list.size() > 0 && list.size() <= kMaxMessages) return Status::Ok();
  return list.Unexpected(fmt::format("1 to {} elements", kMaxMessages));
}

Result<std::string> PartText(const RequestField& part, std::span<const TextPart> parts,
                             std::span<const std::string_view> ignored) {
  RINGLET_ASSIGN_OR_RETURN(const RequestField type, part.Get("type"));
  const auto found = std::ranges::find_if(
      parts, [&](const TextPart& known) { return type.value() == known.type; });
  if (found == parts.end()) return type.Unexpected(Types(parts));
  for (const auto& [key, value] : part.value().items()) {
    if (key == "type" || key == found->text_key ||
        std::ranges::find(ignored, key) != ignored.end()) {
      continue;
    }
    return part.UnknownKey(key);
  }
  RINGLET_ASSIGN_OR_RETURN(const RequestField text, part.Get(found->text_key));
  return text.String();
}

Result<std::string> ContentText(const RequestField& content, std::span<const TextPart> parts,
                                std::span<const std::string_view> ignored) {
  if (content.value().is_string()) return content.String();
  if (!content.value().is_array()) return content.Unexpected("a string or an array of parts");
  std::string joined;
  for (size_t i = 0; i < content.size(); ++i) {
    RINGLET_ASSIGN_OR_RETURN(const std::string text, PartText(content.Element(i), parts, ignored));
    JoinText(joined, text);
  }
  return joined;
}

void JoinText(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += '\n';
  text += more;
}

OrderedJson Message(std::string_view role, std::string content) {
  OrderedJson message;
  message["role"] = role;
  message["content"] = std::move(content);
  return message;
}

OrderedJson ToolCall(std::string id, std::string name, const OrderedJson& arguments) {
  OrderedJson value = arguments;
  if (arguments.is_string()) {
    const std::string& text = arguments.get_ref<const std::string&>();
    const Result<OrderedJson> parsed = ParseOrderedJson(text.empty() ? "{}" : text, "");
    if (parsed.ok() && parsed->is_object()) value = *parsed;
  } else if (arguments.is_null()) {
    value = OrderedJson::object();
  }
  OrderedJson call;
  call["id"] = std::move(id);
  call["type"] = "function";
  call["function"]["name"] = std::move(name);
  call["function"]["arguments"] = std::move(value);
  return call;
}

std::string CalledName(const OrderedJson& messages, std::string_view id) {
  size_t looks = 1024;  // calls are a few messages back; a long request must not cost its square
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (looks-- == 0) break;
    const auto calls = message->find("tool_calls");
    if (calls == message->end()) continue;
    for (const OrderedJson& call : *calls) {
      if (looks-- == 0) return "";
      if (call["id"] == id) return call["function"]["name"].get<std::string>();
    }
  }
  return "";
}

OrderedJson ToolMessage(const OrderedJson& messages, std::string id, std::string name,
                        std::string content) {
  OrderedJson message = Message("tool", std::move(content));
  if (name.empty()) name = CalledName(messages, id);
  message["tool_call_id"] = std::move(id);
  if (!name.empty()) message["name"] = std::move(name);
  return message;
}

}  // namespace ringlet::server
