#include <array>
#include <optional>
#include <utility>

#include "server/chat/message_parts.h"
#include "server/chat/messages.h"

namespace ringlet::server {
namespace {

constexpr std::array kText = {TextPart{"text", "text"}};
// cache_control concerns no answer: any prefix of a prompt is reused here.
constexpr std::array<std::string_view, 2> kIgnoredInText = {"cache_control", "citations"};

// One message of the request, which may become several.
class Blocks {
 public:
  Blocks(OrderedJson& messages, bool assistant) : messages_(messages), assistant_(assistant) {}

  Status Add(const RequestField& block) {
    RINGLET_ASSIGN_OR_RETURN(const RequestField type, block.Get("type"));
    if (type.value() == "text") return AddText(block);
    if (assistant_) {
      if (type.value() == "thinking") return AddThinking(block);
      if (type.value() == "redacted_thinking") return block.ExpectObject({"type", "data"});
      if (type.value() == "tool_use") return AddCall(block);
      return type.Unexpected("\"text\", \"thinking\" or \"tool_use\" in an assistant message");
    }
    if (type.value() == "tool_result") return AddResult(block);
    return type.Unexpected("\"text\" or \"tool_result\" in a user message");
  }

  // The text since the last result; a message that held results only gives no empty one.
  void Finish() {
    if (assistant_) {
      OrderedJson message = Message("assistant", std::move(text_));
      if (!thinking_.empty()) message["reasoning_content"] = std::move(thinking_);
      if (!calls_.empty()) message["tool_calls"] = std::move(calls_);
      messages_.push_back(std::move(message));
    } else if (!text_.empty() || !results_) {
      messages_.push_back(Message("user", std::exchange(text_, std::string())));
    }
  }

 private:
  Status AddText(const RequestField& block) {
    RINGLET_ASSIGN_OR_RETURN(const std::string text, PartText(block, kText, kIgnoredInText));
    JoinText(text_, text);
    return Status::Ok();
  }

  Status AddThinking(const RequestField& block) {
    RINGLET_RETURN_IF_ERROR(block.ExpectObject({"type", "thinking", "signature"}));
    RINGLET_ASSIGN_OR_RETURN(const RequestField thinking, block.Get("thinking"));
    RINGLET_ASSIGN_OR_RETURN(const std::string text, thinking.String());
    JoinText(thinking_, text);
    return Status::Ok();
  }

  Status AddCall(const RequestField& block) {
    RINGLET_RETURN_IF_ERROR(
        block.ExpectObject({"type", "id", "name", "input", "cache_control", "caller"}));
    RINGLET_ASSIGN_OR_RETURN(const RequestField id, block.Get("id"));
    RINGLET_ASSIGN_OR_RETURN(std::string id_text, id.String());
    RINGLET_ASSIGN_OR_RETURN(const RequestField name, block.Get("name"));
    RINGLET_ASSIGN_OR_RETURN(std::string name_text, name.String());
    RINGLET_ASSIGN_OR_RETURN(const RequestField input, block.Get("input"));
    RINGLET_RETURN_IF_ERROR(input.ExpectObject());
    calls_.push_back(ToolCall(std::move(id_text), std::move(name_text), input.value()));
    return Status::Ok();
  }

  Status AddResult(const RequestField& block) {
    RINGLET_RETURN_IF_ERROR(
        block.ExpectObject({"type", "tool_use_id", "content", "is_error", "cache_control"}));
    RINGLET_RETURN_IF_ERROR(block.BoolOf("is_error", false).status());
    RINGLET_ASSIGN_OR_RETURN(const RequestField id, block.Get("tool_use_id"));
    RINGLET_ASSIGN_OR_RETURN(std::string id_text, id.String());
    std::string text;
    if (const auto content = block.Find("content")) {
      RINGLET_ASSIGN_OR_RETURN(text, ContentText(*content, kText, kIgnoredInText));
    }
    if (!text_.empty()) {
      messages_.push_back(Message("user", std::exchange(text_, std::string())));
    }
    messages_.push_back(ToolMessage(messages_, std::move(id_text), "", std::move(text)));
    results_ = true;
    return Status::Ok();
  }

  OrderedJson& messages_;
  const bool assistant_;
  bool results_ = false;
  std::string text_;
  std::string thinking_;
  OrderedJson calls_ = OrderedJson::array();
};

Status AddMessage(const RequestField& field, OrderedJson& messages) {
  RINGLET_RETURN_IF_ERROR(field.ExpectObject({"role", "content"}));
  RINGLET_ASSIGN_OR_RETURN(const RequestField role, field.Get("role"));
  const bool assistant = role.value() == "assistant";
  if (!assistant && role.value() != "user") return role.Unexpected("\"user\" or \"assistant\"");
  RINGLET_ASSIGN_OR_RETURN(const RequestField content, field.Get("content"));
  if (content.value().is_string()) {
    messages.push_back(
        Message(assistant ? "assistant" : "user", content.value().get<std::string>()));
    return Status::Ok();
  }
  if (!content.value().is_array()) return content.Unexpected("a string or an array of blocks");
  Blocks blocks(messages, assistant);
  for (size_t i = 0; i < content.size(); ++i) {
    RINGLET_RETURN_IF_ERROR(blocks.Add(content.Element(i)));
  }
  blocks.Finish();
  return Status::Ok();
}

}  // namespace

Result<ChatTurns> PromptOfAnthropic(const OrderedJson& body, const std::string& source) {
  const RequestField root(body, source);
  ChatTurns prompt;
  if (const auto system = root.Find("system")) {
    RINGLET_ASSIGN_OR_RETURN(std::string text, ContentText(*system, kText, kIgnoredInText));
    if (!text.empty()) prompt.messages.push_back(Message("system", std::move(text)));
  }
  RINGLET_ASSIGN_OR_RETURN(const RequestField list, root.Get("messages"));
  RINGLET_RETURN_IF_ERROR(ExpectMessages(list));
  for (size_t i = 0; i < list.size(); ++i) {
    RINGLET_RETURN_IF_ERROR(AddMessage(list.Element(i), prompt.messages));
  }
  RINGLET_ASSIGN_OR_RETURN(prompt.tools, ToolsOfAnthropic(root));
  return prompt;
}

}  // namespace ringlet::server
