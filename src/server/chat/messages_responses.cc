#include <array>
#include <optional>
#include <utility>

#include "server/chat/message_parts.h"
#include "server/chat/messages.h"

namespace ringlet::server {
namespace {

constexpr std::array kInputText = {TextPart{"input_text", "text"}, TextPart{"output_text", "text"},
                                   TextPart{"text", "text"}, TextPart{"refusal", "refusal"}};
constexpr std::array kReasoningText = {TextPart{"reasoning_text", "text"},
                                       TextPart{"summary_text", "text"}, TextPart{"text", "text"}};
// What a server adds to the text that it returns.
constexpr std::array<std::string_view, 2> kIgnoredInParts = {"annotations", "logprobs"};

// Puts the items together.
class Input {
 public:
  explicit Input(OrderedJson& messages) : messages_(messages) {}

  Status Add(const RequestField& item) {
    const auto type = item.Find("type");
    if (!type || type->value() == "message") return AddMessage(item);
    if (type->value() == "reasoning") return AddReasoning(item);
    if (type->value() == "function_call") return AddCall(item);
    if (type->value() == "function_call_output") return AddResult(item);
    return type->Unexpected(
        "\"message\", \"reasoning\", \"function_call\" or \"function_call_output\"");
  }

 private:
  Status AddMessage(const RequestField& item) {
    RINGLET_RETURN_IF_ERROR(
        item.ExpectObject({"type", "role", "content", "id", "status", "phase"}));
    RINGLET_ASSIGN_OR_RETURN(const RequestField role, item.Get("role"));
    RINGLET_ASSIGN_OR_RETURN(const RequestField content, item.Get("content"));
    RINGLET_ASSIGN_OR_RETURN(std::string text, ContentText(content, kInputText, kIgnoredInParts));
    if (role.value() == "assistant") {
      JoinText(Assistant()["content"].get_ref<std::string&>(), text);
    } else if (role.value() == "user") {
      messages_.push_back(Message("user", std::move(text)));
    } else if (role.value() == "system" || role.value() == "developer") {
      messages_.push_back(Message("system", std::move(text)));
    } else {
      return role.Unexpected("\"system\", \"developer\", \"user\" or \"assistant\"");
    }
    return Status::Ok();
  }

  // The reasoning itself where the client has it, else its summary.
  Status AddReasoning(const RequestField& item) {
    RINGLET_RETURN_IF_ERROR(
        item.ExpectObject({"type", "id", "summary", "content", "encrypted_content", "status"}));
    std::string text;
    for (const std::string_view key : {"content", "summary"}) {
      const auto parts = item.Find(key);
      if (!parts || !text.empty()) continue;
      RINGLET_ASSIGN_OR_RETURN(text, ContentText(*parts, kReasoningText, {}));
    }
    if (text.empty()) return Status::Ok();
    OrderedJson& message = Assistant();
    if (!message.contains("reasoning_content")) message["reasoning_content"] = "";
    JoinText(message["reasoning_content"].get_ref<std::string&>(), text);
    return Status::Ok();
  }

  Status AddCall(const RequestField& item) {
    RINGLET_RETURN_IF_ERROR(
        item.ExpectObject({"type", "id", "call_id", "name", "arguments", "status"}));
    RINGLET_ASSIGN_OR_RETURN(const RequestField id, item.Get("call_id"));
    RINGLET_ASSIGN_OR_RETURN(std::string id_text, id.String());
    RINGLET_ASSIGN_OR_RETURN(const RequestField name, item.Get("name"));
    RINGLET_ASSIGN_OR_RETURN(std::string name_text, name.String());
    RINGLET_ASSIGN_OR_RETURN(const RequestField arguments, item.Get("arguments"));
    RINGLET_RETURN_IF_ERROR(arguments.String().status());
    Assistant()["tool_calls"].push_back(
        ToolCall(std::move(id_text), std::move(name_text), arguments.value()));
    return Status::Ok();
  }

  Status AddResult(const RequestField& item) {
    RINGLET_RETURN_IF_ERROR(item.ExpectObject({"type", "id", "call_id", "output", "status"}));
    RINGLET_ASSIGN_OR_RETURN(const RequestField id, item.Get("call_id"));
    RINGLET_ASSIGN_OR_RETURN(std::string id_text, id.String());
    RINGLET_ASSIGN_OR_RETURN(const RequestField output, item.Get("output"));
    RINGLET_ASSIGN_OR_RETURN(std::string text, ContentText(output, kInputText, kIgnoredInParts));
    messages_.push_back(ToolMessage(messages_, std::move(id_text), "", std::move(text)));
    return Status::Ok();
  }

  // The assistant message that is being put together.
  OrderedJson& Assistant() {
    if (messages_.empty() || messages_.back()["role"] != "assistant") {
      messages_.push_back(Message("assistant", ""));
    }
    return messages_.back();
  }

  OrderedJson& messages_;
};

}  // namespace

Result<ChatTurns> PromptOfResponses(const OrderedJson& body, const std::string& source) {
  const RequestField root(body, source);
  ChatTurns prompt;
  RINGLET_ASSIGN_OR_RETURN(std::string instructions, root.StringOf("instructions"));
  if (!instructions.empty()) prompt.messages.push_back(Message("system", std::move(instructions)));
  RINGLET_ASSIGN_OR_RETURN(const RequestField input, root.Get("input"));
  if (input.value().is_string()) {
    prompt.messages.push_back(Message("user", input.value().get<std::string>()));
  } else if (!input.value().is_array()) {
    return input.Unexpected("a string or an array of items");
  } else {
    RINGLET_RETURN_IF_ERROR(ExpectMessages(input));
    Input reader(prompt.messages);
    for (size_t i = 0; i < input.size(); ++i) RINGLET_RETURN_IF_ERROR(reader.Add(input.Element(i)));
  }
  RINGLET_ASSIGN_OR_RETURN(prompt.tools, ToolsOfResponses(root));
  return prompt;
}

}  // namespace ringlet::server
