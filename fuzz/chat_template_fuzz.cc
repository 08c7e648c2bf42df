// Input: the template's text, a zero byte, then the chat as a JSON object (messages, tools, extra).
// Parsing and rendering must end in a text or an error, and the same one twice.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/chat_template.h"
#include "io/utf8.h"

namespace {

ringlet::ChatInput ReadChat(std::string_view text) {
  ringlet::ChatInput input;
  input.now = std::tm{};
  const auto chat = ringlet::ParseOrderedJson(text, "chat");
  if (!chat.ok() || !chat->is_object()) return input;
  if (chat->contains("messages")) input.messages = (*chat)["messages"];
  if (chat->contains("tools")) input.tools = (*chat)["tools"];
  if (chat->contains("extra")) input.extra = (*chat)["extra"];
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t split = std::min(all.find('\0'), all.size());
  ringlet::TemplateLimits limits;
  limits.max_steps = 100'000;
  limits.max_memory_bytes = uint64_t{8} << 20;
  limits.max_output_bytes = uint64_t{1} << 20;
  const auto parsed = ringlet::ChatTemplate::Parse(all.substr(0, split), "fuzz", limits);
  if (!parsed.ok()) return 0;
  const ringlet::ChatInput input =
      ReadChat(split < all.size() ? all.substr(split + 1) : std::string_view());
  const auto first = (*parsed)->Render(input);
  const auto second = (*parsed)->Render(input);
  if (first.ok() != second.ok()) std::abort();
  if (!first.ok()) return 0;
  if (*first != *second || ringlet::ValidUtf8Prefix(*first) != first->size()) std::abort();
  return 0;
}
