// Input: a byte that chooses the format, a byte that seeds the cuts, then what the model wrote. Any
// cut must give the same events; no text may be lost while no call begins; arguments that are whole
// must be an object.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "server/chat/output_transcript.h"

namespace {

using ringlet::server::OutputFormat;
using ringlet::server::OutputParser;
using ringlet::server::OutputTranscript;
using ringlet::server::ToolSyntax;

OutputFormat Format(uint8_t choice) {
  OutputFormat format;
  format.tools = static_cast<ToolSyntax>(choice % 5);
  format.parse_tools = format.tools != ToolSyntax::kNone;
  format.thinking_open = (choice / 5) % 2 == 1;
  format.tool_list = *ringlet::ParseOrderedJson(
      R"([{"type": "function", "function": {"name": "f", "parameters": {"properties": {
          "n": {"type": "integer"}, "s": {"type": "string"}}}}}])",
      "fuzz");
  return format;
}

// Cuts come from `rng`, or not at all.
std::string Parse(const OutputFormat& format, std::string_view text, ringlet::Rng* rng) {
  OutputTranscript transcript;
  OutputParser parser(format, transcript.Sink());
  while (!text.empty()) {
    const size_t count = rng == nullptr ? text.size() : 1 + rng->Below(12);
    parser.Append(text.substr(0, count));
    text.remove_prefix(std::min(count, text.size()));
  }
  parser.Finish();
  return transcript.Text() + (parser.incomplete() ? "!" : "");
}

void CheckTexts(const OutputFormat& format, std::string_view text) {
  std::string said;
  std::string arguments;
  bool whole = true;
  OutputParser::Sink sink;
  sink.reasoning = sink.content = [&](std::string_view delta) { said += delta; };
  sink.tool_arguments = [&](int, std::string_view delta) { arguments += delta; };
  // Numbers and escapes that the strict parser refuses are the scanner's to let through.
  sink.tool_end = [&](int) {
    whole = whole && arguments.starts_with('{') && arguments.ends_with('}');
    arguments.clear();
  };
  OutputParser parser(format, sink);
  parser.Append(text);
  parser.Finish();
  if (!whole && !parser.incomplete()) std::abort();
  if (parser.calls() > 0 || format.thinking_open) return;
  if (text.find("think>") == std::string_view::npos && said != text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const OutputFormat format = Format(data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = Parse(format, text, nullptr);
  ringlet::Rng rng(data[1]);
  if (Parse(format, text, &rng) != whole) std::abort();
  CheckTexts(format, text);
  return 0;
}
