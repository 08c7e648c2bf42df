#include "cli/conversation.h"

#include <utility>

#include <fmt/format.h>

namespace ringlet::cli {
namespace {

Result<std::string> StringMember(const Json& message, const char* key, std::string_view source,
                                 std::string_view field) {
  const auto found = message.find(key);
  if (found == message.end()) {
    return BadInput(source, field, fmt::format("no \"{}\"", key), "a string");
  }
  if (!found->is_string()) {
    return BadInput(source, fmt::format("{}.{}", field, key), JsonTypeName(*found), "a string");
  }
  return found->get<std::string>();
}

}  // namespace

bool Conversation::Undo() {
  if (!Reopen()) return false;
  turns_.pop_back();
  return true;
}

bool Conversation::Reopen() {
  while (!turns_.empty() && turns_.back().role != "user") turns_.pop_back();
  return !turns_.empty();
}

OrderedJson Conversation::Messages() const {
  OrderedJson messages = OrderedJson::array();
  if (!system_.empty()) messages.push_back({{"role", "system"}, {"content", system_}});
  for (const ChatMessage& turn : turns_) {
    messages.push_back({{"role", turn.role}, {"content", turn.content}});
  }
  return messages;
}

std::string Conversation::ToJson() const {
  OrderedJson json;
  json["messages"] = Messages();
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

Result<Conversation> Conversation::FromJson(std::string_view text, std::string_view source) {
  RINGLET_ASSIGN_OR_RETURN(const Json json, ParseJson(text, source));
  const bool has_messages = json.is_object() && json.contains("messages");
  if (!has_messages || !json["messages"].is_array()) {
    return BadInput(source, "messages", JsonBrief(has_messages ? json["messages"] : json),
                    "an object with an array \"messages\"");
  }
  Conversation conversation;
  size_t index = 0;
  for (const Json& message : json["messages"]) {
    const std::string field = fmt::format("messages[{}]", index);
    if (!message.is_object()) return BadInput(source, field, JsonTypeName(message), "an object");
    RINGLET_ASSIGN_OR_RETURN(std::string role, StringMember(message, "role", source, field));
    RINGLET_ASSIGN_OR_RETURN(std::string content, StringMember(message, "content", source, field));
    if (role == "system" && index == 0) {
      conversation.system_ = std::move(content);
    } else if (role == "user" || role == "assistant") {
      conversation.turns_.push_back({std::move(role), std::move(content)});
    } else {
      return BadInput(source, field + ".role", fmt::format("\"{}\"", role.substr(0, 40)),
                      "user or assistant, or system in the first message");
    }
    ++index;
  }
  return conversation;
}

}  // namespace ringlet::cli
