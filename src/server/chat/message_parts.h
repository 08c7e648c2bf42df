// What the readers of the three interfaces share.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "server/chat/request_field.h"

namespace ringlet::server {

// More than any conversation has.
inline constexpr size_t kMaxMessages = 65536;

// A list of 1 to kMaxMessages.
Status ExpectMessages(const RequestField& list);

// A part of a content that holds text: its type, and the member with the text.
struct TextPart {
  std::string_view type;
  std::string_view text_key;
};

// A content's text: a string, or a list of parts of the given types, joined by line breaks. Parts
// may also have the keys in `ignored`.
Result<std::string> ContentText(const RequestField& content, std::span<const TextPart> parts,
                                std::span<const std::string_view> ignored);

// One part of a list.
Result<std::string> PartText(const RequestField& part, std::span<const TextPart> parts,
                             std::span<const std::string_view> ignored);

// Adds a line break and `more`, of what is not empty.
void JoinText(std::string& text, std::string_view more);

// {"role": role, "content": content}.
OrderedJson Message(std::string_view role, std::string content);

// An element of tool_calls. Arguments that are the text of an object become it; none, an empty one.
OrderedJson ToolCall(std::string id, std::string name, const OrderedJson& arguments);

// The name of the call with this id in earlier messages, or "".
std::string CalledName(const OrderedJson& messages, std::string_view id);

// {"role": "tool", ...} with the name of the call, if `name` is empty and the call is known.
OrderedJson ToolMessage(const OrderedJson& messages, std::string id, std::string name,
                        std::string content);

}  // namespace ringlet::server
