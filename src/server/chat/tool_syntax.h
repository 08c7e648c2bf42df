// How models write the calls of tools: the syntaxes that are known, as data.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace ringlet::server {

enum class ToolSyntax {
  kNone,
  kHermes,     // <tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call> (Qwen, Ling, Ring)
  kLlama3,     // {"name": ..., "parameters": {...}} and nothing before it
  kQwenCoder,  // <tool_call>\n<function=f>\n<parameter=x>\n...\n</parameter>\n</function>\n...
  kMistral,    // [TOOL_CALLS] [{"name": ..., "arguments": {...}}, ...]
};

struct ToolSyntaxSpec {
  ToolSyntax syntax;
  std::string_view name;
  // What a call begins with; empty entries are unused.
  std::array<std::string_view, 2> begin;
  // What follows the last call, if anything; its absence is forgiven.
  std::string_view end;
  // Characters that may stand between two calls.
  std::string_view separators;
  // Of a call in JSON; empty: the body is tags.
  std::string_view arguments_key;
  bool list;  // calls are the elements of an array
  bool bare;  // an answer that begins with a brace may be a call
  // What the source of a chat template contains, all of it, and what it does not.
  std::array<std::string_view, 2> detect;
  std::string_view unless;

  bool json() const { return !arguments_key.empty(); }
};

// Every syntax but kNone, in the order in which templates are compared with them.
std::span<const ToolSyntaxSpec> ToolSyntaxes();
// Not for kNone.
const ToolSyntaxSpec& SpecOf(ToolSyntax syntax);
// The syntax that a chat template teaches the model, or kNone.
ToolSyntax DetectToolSyntax(std::string_view template_source);

}  // namespace ringlet::server
