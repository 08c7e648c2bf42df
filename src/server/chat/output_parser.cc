#include "server/chat/output_parser.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ringlet::server {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

const ToolSyntaxSpec* ToolSpec(const OutputFormat& format) {
  const bool tools = format.parse_tools && format.tools != ToolSyntax::kNone;
  return tools ? &SpecOf(format.tools) : nullptr;
}

// Of content; the opening ones come first, in the order of the syntax.
MarkerFinder ContentMarkers(const ToolSyntaxSpec* spec) {
  if (spec == nullptr) return {};
  std::vector<std::string> markers(spec->begin.begin(), spec->begin.end());
  markers.emplace_back(spec->end);
  return MarkerFinder(std::move(markers));
}

}  // namespace

bool PromptOpensThinking(std::string_view prompt, std::string_view think_begin) {
  const size_t last = prompt.find_last_not_of(kSpace);
  return last != std::string_view::npos && prompt.substr(0, last + 1).ends_with(think_begin);
}

OutputParser::OutputParser(OutputFormat format, Sink sink)
    : format_(std::move(format)),
      spec_(ToolSpec(format_)),
      sink_(std::move(sink)),
      state_(format_.thinking_open ? State::kReasoning : State::kStart),
      finder_({format_.think_begin, format_.think_end}),
      at_edge_(format_.thinking_open) {}

void OutputParser::Append(std::string_view text) {
  for (const char c : text) Byte(c);
  Flush();
}

void OutputParser::Finish() {
  if (state_ == State::kFinished) return;
  if (state_ == State::kCall) {
    reader_->Finish();
    LeaveCall();
  }
  std::string held;
  finder_.Finish(held);
  const Kind kind = state_ == State::kReasoning ? Kind::kReasoning : Kind::kContent;
  Text(kind, held);
  Deliver(kind, std::exchange(space_, std::string()));
  Flush();
  state_ = State::kFinished;
}

void OutputParser::Byte(char c) {
  switch (state_) {
    case State::kStart:
      return StartByte(c);
    case State::kReasoning:
      return ReasoningByte(c);
    case State::kContent:
      return ContentByte(c);
    case State::kCall:
      return CallByte(c);
    case State::kFinished:
      return;
  }
}

// Until it is known whether the answer begins with reasoning. Space and the beginning of a tag are
// all that is ever held here, so taking them again as content is done once.
void OutputParser::StartByte(char c) {
  std::string text;
  const auto marker = finder_.Push(c, text);
  const bool begins = marker == 0 && text.find_first_not_of(kSpace) == std::string::npos;
  space_ += text;
  if (begins) {
    space_.clear();
    state_ = State::kReasoning;
    at_edge_ = true;
    return;
  }
  if (!marker && space_.find_first_not_of(kSpace) == std::string::npos) return;
  std::string again = std::exchange(space_, std::string()) + finder_.held();
  if (marker) again += *marker == 0 ? format_.think_begin : format_.think_end;
  EnterContent();
  at_edge_ = false;
  for (const char byte : again) Byte(byte);
}

void OutputParser::ReasoningByte(char c) {
  std::string text;
  const auto marker = finder_.Push(c, text);
  Text(Kind::kReasoning, text);
  if (!marker) return;
  if (*marker == 1) {
    EnterContent();
  } else if (!at_edge_ || !format_.thinking_open || think_repeated_) {
    Text(Kind::kReasoning, format_.think_begin);
  } else {
    think_repeated_ = true;
  }
}

void OutputParser::EnterContent() {
  state_ = State::kContent;
  finder_ = ContentMarkers(spec_);
  space_.clear();
  at_edge_ = true;
}

void OutputParser::ContentByte(char c) {
  if (spec_ != nullptr && finder_.held().empty() && spec_->json()) {
    const bool brace = c == '{';
    const bool next = after_call_ && at_edge_;
    if (next && (brace || spec_->separators.find(c) != std::string_view::npos)) {
      EnterCall(CallEntry::kNext, "");
      return CallByte(c);
    }
    if (spec_->bare && brace && !has_content_ && calls_ == 0) {
      EnterCall(CallEntry::kBare, "");
      return CallByte(c);
    }
  }
  std::string text;
  const auto marker = finder_.Push(c, text);
  Text(Kind::kContent, text);
  if (!marker) return;
  if (*marker < spec_->begin.size()) {
    const CallEntry entry = *marker == 0 ? CallEntry::kMarker : CallEntry::kSecondMarker;
    EnterCall(entry, spec_->begin[*marker]);
  } else if (after_call_ && at_edge_) {
    after_call_ = false;
  } else {
    Text(Kind::kContent, spec_->end);
  }
}

void OutputParser::EnterCall(CallEntry entry, std::string_view marker) {
  lead_ = std::exchange(space_, std::string());
  lead_ += marker;
  reader_ = MakeCallReader(*spec_, entry, format_.tool_list, *this);
  state_ = State::kCall;
}

void OutputParser::CallByte(char c) {
  const CallReader::Step step = reader_->Push(c);
  if (step == CallReader::Step::kMore) return;
  LeaveCall();
  if (step == CallReader::Step::kBroken) ContentByte(c);
}

// The call is over, or was none. What is left of its text was content.
void OutputParser::LeaveCall() {
  const std::unique_ptr<CallReader> reader = std::move(reader_);
  state_ = State::kContent;
  after_call_ = reader->begun() && reader->complete();
  if (!reader->begun()) {
    Text(Kind::kContent, std::exchange(lead_, std::string()) + reader->raw());
    return;
  }
  incomplete_ = incomplete_ || !reader->complete();
  EndCall();
  at_edge_ = true;
  Text(Kind::kContent, reader->raw());
}

void OutputParser::Begin(std::string_view name) {
  Flush();
  lead_.clear();
  const int index = calls_++;
  if (sink_.tool_begin) sink_.tool_begin(index, format_.id_prefix + std::to_string(index), name);
}

void OutputParser::Arguments(std::string_view text) { Deliver(Kind::kArguments, text); }

void OutputParser::EndCall() {
  Flush();
  if (sink_.tool_end) sink_.tool_end(calls_ - 1);
}

// Holds back space at the end, and leaves it out after a tag.
void OutputParser::Text(Kind kind, std::string_view text) {
  if (at_edge_) text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  const size_t last = text.find_last_not_of(kSpace);
  if (last == std::string_view::npos) {
    space_ += text;
    return;
  }
  at_edge_ = false;
  after_call_ = false;
  if (kind == Kind::kContent) has_content_ = true;
  Deliver(kind, std::exchange(space_, std::string()));
  Deliver(kind, text.substr(0, last + 1));
  space_ = text.substr(last + 1);
}

void OutputParser::Deliver(Kind kind, std::string_view text) {
  if (text.empty()) return;
  if (kind != pending_kind_) Flush();
  pending_kind_ = kind;
  pending_ += text;
}

void OutputParser::Flush() {
  const std::string text = std::exchange(pending_, std::string());
  if (text.empty()) return;
  if (pending_kind_ == Kind::kArguments) {
    if (sink_.tool_arguments) sink_.tool_arguments(calls_ - 1, text);
  } else {
    const auto& sink = pending_kind_ == Kind::kReasoning ? sink_.reasoning : sink_.content;
    if (sink) sink(text);
  }
}

}  // namespace ringlet::server
