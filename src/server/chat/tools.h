// The tools of a request, and whether the model has to call them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "server/chat/request_field.h"

namespace ringlet::server {

struct ToolChoice {
  enum class Mode : uint8_t {
    kNone,      // no calls
    kAuto,      // as the model likes
    kRequired,  // at least one
    kNamed,     // one, of `name`
  };
  Mode mode = Mode::kAuto;
  std::string name;
  bool parallel = true;  // more than one call in an answer
};

struct ToolSettings {
  // What chat templates see: [{"type": "function", "function": {"name", and if given "description"
  // and "parameters"}}, ...], or null when there are no tools or none may be called, so that the
  // model is not shown any either.
  OrderedJson tools;
  ToolChoice choice;
};

// At most so many; names have 1 to 128 letters, digits and _.:/- and are all different.
inline constexpr size_t kMaxTools = 1024;

// Read the members tools, tool_choice and parallel_tool_calls (Anthropic: the choice's
// disable_parallel_tool_use) of a request body; other members are not looked at. Errors name the
// field: a tool of another type than function, a bad name, a choice that names no tool or needs
// tools where there are none.
Result<ToolSettings> ToolsOfChatCompletions(const RequestField& body);
Result<ToolSettings> ToolsOfResponses(const RequestField& body);
Result<ToolSettings> ToolsOfAnthropic(const RequestField& body);

// The object "function" of the tool called `name` in ToolSettings::tools, or null.
const OrderedJson* FindTool(const OrderedJson& tools, std::string_view name);

}  // namespace ringlet::server
