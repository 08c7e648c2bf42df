// A conversation: an optional system message and alternating turns. Kept as the chat template sees
// it, saved and loaded as JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace ringlet::cli {

struct ChatMessage {
  std::string role;  // "user" or "assistant"
  std::string content;
  bool operator==(const ChatMessage&) const = default;
};

class Conversation {
 public:
  void SetSystem(std::string text) { system_ = std::move(text); }
  const std::string& system() const { return system_; }
  const std::vector<ChatMessage>& turns() const { return turns_; }
  bool empty() const { return turns_.empty(); }

  void AddUser(std::string text) { turns_.push_back({"user", std::move(text)}); }
  void AddAssistant(std::string text) { turns_.push_back({"assistant", std::move(text)}); }
  // Forgets the turns, keeps the system message.
  void Reset() { turns_.clear(); }
  // Takes back the last user message and what followed. False when there is none.
  bool Undo();
  // Takes back the answer to the last user message, so that it can be answered again. False when no
  // user message is left.
  bool Reopen();

  // [{"role": ..., "content": ...}, ...], the system message first when there is one: what
  // templates and request bodies call messages.
  OrderedJson Messages() const;
  // {"messages": [...]}.
  std::string ToJson() const;
  // The reverse; `source` names the text in errors.
  static Result<Conversation> FromJson(std::string_view text, std::string_view source);

  bool operator==(const Conversation&) const = default;

 private:
  std::string system_;
  std::vector<ChatMessage> turns_;
};

}  // namespace ringlet::cli
