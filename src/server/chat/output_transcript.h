// What a parser delivered, as text: for tests and fuzzing.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "server/chat/output_parser.h"

namespace ringlet::server {

// "R[...]" reasoning, "C[...]" content, "B0(name)" the beginning of call 0, "A0[...]" its
// arguments, "E0" its end, "!" at the end when some arguments broke off. Deltas of one kind that
// follow each other are one, so that equal transcripts mean equal events but for cuts.
class OutputTranscript {
 public:
  OutputParser::Sink Sink() {
    OutputParser::Sink sink;
    sink.reasoning = [this](std::string_view text) { Delta("R", text); };
    sink.content = [this](std::string_view text) { Delta("C", text); };
    sink.tool_begin = [this](int index, std::string_view, std::string_view name) {
      Event(fmt::format("B{}({})", index, name));
    };
    sink.tool_arguments = [this](int index, std::string_view delta) {
      Delta(fmt::format("A{}", index), delta);
    };
    sink.tool_end = [this](int index) { Event(fmt::format("E{}", index)); };
    return sink;
  }

  std::string Text() const { return text_ + (open_.empty() ? "" : "]"); }

 private:
  void Delta(const std::string& kind, std::string_view text) {
    if (open_ != kind) {
      Event(kind + "[");
      open_ = kind;
    }
    text_ += text;
  }
  void Event(const std::string& text) {
    text_ = Text() + text;
    open_.clear();
  }

  std::string text_;
  std::string open_;  // the kind of the delta that may go on
};

}  // namespace ringlet::server
