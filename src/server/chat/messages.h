// The conversation of a request in the one form that chat templates see, from three interfaces:
// OpenAI's chat completions and responses, and Anthropic's messages.
//
// A message has a role (system, user, assistant or tool) and a content, which is a text; an
// assistant message may have reasoning_content and tool_calls ([{"id", "type": "function",
// "function":
// {"name", "arguments"}}]), a tool message has tool_call_id and, where an earlier call tells it or
// the client does, name; name is also kept where the client gives it to others. Arguments are
// objects, because templates walk through them; a text that is no JSON object, such as one that was
// cut short, stays a text.
//
// Content that is a list of parts becomes their texts joined by line breaks. Images, sound and
// files are refused. Keys that say nothing to a model are passed over by name (kIgnored... in the
// sources); any other key that is not known is an error. Every error is kInvalidInput and names the
// path, as in "messages[1].content[0].type".
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "server/chat/request_field.h"
#include "server/chat/tools.h"

namespace ringlet::server {

struct ChatTurns {
  OrderedJson messages = OrderedJson::array();
  ToolSettings tools;
};

// Each reads the named members of a request body; other members are not looked at.

// messages, tools, tool_choice, parallel_tool_calls. "developer" is "system".
Result<ChatTurns> PromptOfChatCompletions(const OrderedJson& body, const std::string& source);

// instructions, input, tools, tool_choice, parallel_tool_calls. Reasoning, messages and calls of
// the assistant that follow each other are one message.
Result<ChatTurns> PromptOfResponses(const OrderedJson& body, const std::string& source);

// system, messages, tools, tool_choice. The results of tools in a user message are tool messages of
// their own, in their place. Signatures of thinking, and thinking that Anthropic encrypted, are
// passed over; so is is_error, which no template knows.
Result<ChatTurns> PromptOfAnthropic(const OrderedJson& body, const std::string& source);

}  // namespace ringlet::server
