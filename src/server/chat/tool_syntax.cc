#include "server/chat/tool_syntax.h"

#include <algorithm>

#include "base/check.h"

namespace ringlet::server {
namespace {

constexpr std::array<ToolSyntaxSpec, 4> kSyntaxes = {{
    {.syntax = ToolSyntax::kQwenCoder,
     .name = "qwen_coder",
     .begin = {"<tool_call>", "<function="},
     .end = "</tool_call>",
     .separators = "",
     .arguments_key = "",
     .list = false,
     .bare = false,
     .detect = {"<function=", "<parameter="},
     .unless = ""},
    {.syntax = ToolSyntax::kHermes,
     .name = "hermes",
     .begin = {"<tool_call>", ""},
     .end = "</tool_call>",
     .separators = "",
     .arguments_key = "arguments",
     .list = false,
     .bare = false,
     .detect = {"<tool_call>", "arguments"},
     .unless = "<arg_key>"},  // GLM's calls, in the same tag
    {.syntax = ToolSyntax::kMistral,
     .name = "mistral",
     .begin = {"[TOOL_CALLS]", ""},
     .end = "]",
     .separators = ",",
     .arguments_key = "arguments",
     .list = true,
     .bare = false,
     .detect = {"[TOOL_CALLS]", ""},
     .unless = "[ARGS]"},  // later templates name the tool before that, outside of the JSON
    {.syntax = ToolSyntax::kLlama3,
     .name = "llama3",
     .begin = {"<|python_tag|>", ""},
     .end = "",
     .separators = ";,",
     .arguments_key = "parameters",
     .list = false,
     .bare = true,
     .detect = {"ipython", "\"parameters\": "},
     .unless = ""},
}};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

std::span<const ToolSyntaxSpec> ToolSyntaxes() { return kSyntaxes; }

const ToolSyntaxSpec& SpecOf(ToolSyntax syntax) {
  const auto found = std::ranges::find(kSyntaxes, syntax, &ToolSyntaxSpec::syntax);
  RINGLET_CHECK(found != kSyntaxes.end(), "kNone has no syntax");
  return *found;
}

ToolSyntax DetectToolSyntax(std::string_view template_source) {
  for (const ToolSyntaxSpec& spec : kSyntaxes) {
    const bool all = std::ranges::all_of(
        spec.detect, [&](std::string_view part) { return Contains(template_source, part); });
    if (!all || (!spec.unless.empty() && Contains(template_source, spec.unless))) continue;
    return spec.syntax;
  }
  return ToolSyntax::kNone;
}

}  // namespace ringlet::server
