#include <array>
#include <optional>
#include <utility>

#include "server/chat/message_parts.h"
#include "server/chat/messages.h"

namespace ringlet::server {
namespace {

constexpr std::array kText = {TextPart{"text", "text"}};
constexpr std::array kAssistantText = {TextPart{"text", "text"}, TextPart{"refusal", "refusal"}};
// Marks for caches of other servers.
constexpr std::array<std::string_view, 1> kIgnoredInParts = {"cache_control"};

// Copies "name", if there is one.
Status CopyName(const RequestField& field, OrderedJson& message) {
  RINGLET_ASSIGN_OR_RETURN(std::string name, field.StringOf("name"));
  if (!name.empty()) message["name"] = std::move(name);
  return Status::Ok();
}

Result<OrderedJson> PlainMessage(const RequestField& field, std::string_view role) {
  RINGLET_RETURN_IF_ERROR(field.ExpectObject({"role", "content", "name"}));
  RINGLET_ASSIGN_OR_RETURN(const RequestField content, field.Get("content"));
  RINGLET_ASSIGN_OR_RETURN(std::string text, ContentText(content, kText, kIgnoredInParts));
  OrderedJson message = Message(role, std::move(text));
  RINGLET_RETURN_IF_ERROR(CopyName(field, message));
  return message;
}

Result<OrderedJson> ReadCall(const RequestField& field) {
  // Clients that put a streamed call together keep its index.
  RINGLET_RETURN_IF_ERROR(field.ExpectObject({"id", "type", "function", "index"}));
  if (const auto type = field.Find("type"); type && type->value() != "function") {
    return type->Unexpected("\"function\"");
  }
  RINGLET_ASSIGN_OR_RETURN(std::string id, field.StringOf("id"));
  RINGLET_ASSIGN_OR_RETURN(const RequestField function, field.Get("function"));
  RINGLET_RETURN_IF_ERROR(function.ExpectObject({"name", "arguments"}));
  RINGLET_ASSIGN_OR_RETURN(const RequestField name_field, function.Get("name"));
  RINGLET_ASSIGN_OR_RETURN(std::string name, name_field.String());
  OrderedJson arguments;
  if (const auto found = function.Find("arguments")) {
    if (!found->value().is_string() && !found->value().is_object()) {
      return found->Unexpected("a string with an object in JSON");
    }
    arguments = found->value();
  }
  return ToolCall(std::move(id), std::move(name), arguments);
}

Result<OrderedJson> ReadCalls(const RequestField& list) {
  RINGLET_RETURN_IF_ERROR(list.ExpectArray());
  OrderedJson calls = OrderedJson::array();
  for (size_t i = 0; i < list.size(); ++i) {
    RINGLET_ASSIGN_OR_RETURN(OrderedJson call, ReadCall(list.Element(i)));
    calls.push_back(std::move(call));
  }
  return calls;
}

// Clients send back what servers gave them: "reasoning" is what some call reasoning_content, and
// the rest describes an answer but is no part of it.
Result<OrderedJson> AssistantMessage(const RequestField& field) {
  RINGLET_RETURN_IF_ERROR(
      field.ExpectObject({"role", "content", "name", "tool_calls", "reasoning_content", "reasoning",
                          "refusal", "annotations", "audio", "function_call"}));
  for (const std::string_view key : {"audio", "function_call"}) {
    if (const auto found = field.Find(key)) return found->Unexpected("null");
  }
  std::string text;
  if (const auto content = field.Find("content")) {
    RINGLET_ASSIGN_OR_RETURN(text, ContentText(*content, kAssistantText, kIgnoredInParts));
  }
  RINGLET_ASSIGN_OR_RETURN(const std::string refusal, field.StringOf("refusal"));
  JoinText(text, refusal);
  OrderedJson message = Message("assistant", std::move(text));
  RINGLET_RETURN_IF_ERROR(CopyName(field, message));
  RINGLET_ASSIGN_OR_RETURN(std::string reasoning, field.StringOf("reasoning_content"));
  if (reasoning.empty()) {
    RINGLET_ASSIGN_OR_RETURN(reasoning, field.StringOf("reasoning"));
  }
  if (!reasoning.empty()) message["reasoning_content"] = std::move(reasoning);
  if (const auto list = field.Find("tool_calls")) {
    RINGLET_ASSIGN_OR_RETURN(OrderedJson calls, ReadCalls(*list));
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
  }
  if (!field.Find("content") && refusal.empty() && !message.contains("tool_calls")) {
    return field.Get("content").status();
  }
  return message;
}

Result<OrderedJson> ResultMessage(const RequestField& field, const OrderedJson& messages) {
  RINGLET_RETURN_IF_ERROR(field.ExpectObject({"role", "content", "tool_call_id", "name"}));
  RINGLET_ASSIGN_OR_RETURN(const RequestField id_field, field.Get("tool_call_id"));
  RINGLET_ASSIGN_OR_RETURN(std::string id, id_field.String());
  RINGLET_ASSIGN_OR_RETURN(std::string name, field.StringOf("name"));
  RINGLET_ASSIGN_OR_RETURN(const RequestField content, field.Get("content"));
  RINGLET_ASSIGN_OR_RETURN(std::string text, ContentText(content, kText, kIgnoredInParts));
  return ToolMessage(messages, std::move(id), std::move(name), std::move(text));
}

Result<OrderedJson> ReadMessage(const RequestField& field, const OrderedJson& messages) {
  RINGLET_ASSIGN_OR_RETURN(const RequestField role, field.Get("role"));
  if (role.value() == "system" || role.value() == "developer") return PlainMessage(field, "system");
  if (role.value() == "user") return PlainMessage(field, "user");
  if (role.value() == "assistant") return AssistantMessage(field);
  if (role.value() == "tool") return ResultMessage(field, messages);
  return role.Unexpected("\"system\", \"developer\", \"user\", \"assistant\" or \"tool\"");
}

}  // namespace

Result<ChatTurns> PromptOfChatCompletions(const OrderedJson& body, const std::string& source) {
  const RequestField root(body, source);
  ChatTurns prompt;
  RINGLET_ASSIGN_OR_RETURN(const RequestField list, root.Get("messages"));
  RINGLET_RETURN_IF_ERROR(ExpectMessages(list));
  for (size_t i = 0; i < list.size(); ++i) {
    RINGLET_ASSIGN_OR_RETURN(OrderedJson message, ReadMessage(list.Element(i), prompt.messages));
    prompt.messages.push_back(std::move(message));
  }
  RINGLET_ASSIGN_OR_RETURN(prompt.tools, ToolsOfChatCompletions(root));
  return prompt;
}

}  // namespace ringlet::server
