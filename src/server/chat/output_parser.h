// Separates what a model writes into reasoning, content and calls of tools, while it streams.
//
// The events do not depend on how the text was cut into calls of Append, but that a delta may be
// cut where the text was: what a client concatenates is what it would have been given at once.
//
// Tags. The first think_begin counts if nothing but space comes before it, and then the first
// think_end after it; with thinking_open the prompt held think_begin, and one that the model
// repeats at the very beginning is passed over. All other such tags are the model's words, and so
// are the markers of calls inside the reasoning.
//
// Space. Space, tab and line break that touch a tag or a call, on either side, belong to it and are
// delivered nowhere. All other space is, also at the beginning and the end of the answer.
//
// Calls. A call begins when its name is known and its arguments begin. What does not get that far
// is content, marker and all; where arguments break off, what was delivered of them stays, the call
// ends, and the rest is content. So no text is lost, but for the JSON or the tags around name and
// arguments of calls that began.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/marker_finder.h"
#include "server/chat/call_reader.h"
#include "server/chat/tool_syntax.h"

namespace ringlet::server {

struct OutputFormat {
  bool thinking_open = false;  // the prompt ended inside think_begin (PromptOpensThinking)
  std::string think_begin = "<think>";
  std::string think_end = "</think>";
  bool parse_tools = false;
  ToolSyntax tools = ToolSyntax::kNone;
  OrderedJson tool_list;  // what the template saw: types of parameters, names for bare calls
  std::string id_prefix = "call_";  // the calls' ids are this and their index
};

// Whether a rendered prompt ends in `think_begin` and nothing but space after it.
bool PromptOpensThinking(std::string_view prompt, std::string_view think_begin = "<think>");

// One for each answer.
class OutputParser : private CallEvents {
 public:
  // Any may be empty. The text of a call's arguments is that of a JSON object when tool_end comes,
  // unless incomplete() says otherwise.
  struct Sink {
    std::function<void(std::string_view text)> reasoning;
    std::function<void(std::string_view text)> content;
    std::function<void(int index, std::string_view id, std::string_view name)> tool_begin;
    std::function<void(int index, std::string_view delta)> tool_arguments;
    std::function<void(int index)> tool_end;
  };

  OutputParser(OutputFormat format, Sink sink);
  OutputParser(const OutputParser&) = delete;
  OutputParser& operator=(const OutputParser&) = delete;

  void Append(std::string_view text);
  // The end of the answer, also where it was cut short. Afterwards Append does nothing.
  void Finish();

  bool thinking() const { return state_ == State::kReasoning; }
  // Calls that began.
  int calls() const { return calls_; }
  // The arguments of some call broke off.
  bool incomplete() const { return incomplete_; }

 private:
  enum class State : uint8_t { kStart, kReasoning, kContent, kCall, kFinished };
  enum class Kind : uint8_t { kReasoning, kContent, kArguments };

  void Begin(std::string_view name) override;
  void Arguments(std::string_view text) override;

  void Byte(char c);
  void StartByte(char c);
  void ReasoningByte(char c);
  void ContentByte(char c);
  void CallByte(char c);
  void EnterContent();
  void EnterCall(CallEntry entry, std::string_view marker);
  void LeaveCall();
  void EndCall();
  void Text(Kind kind, std::string_view text);
  void Deliver(Kind kind, std::string_view text);
  void Flush();

  const OutputFormat format_;
  const ToolSyntaxSpec* const spec_;  // null: no calls
  const Sink sink_;
  State state_;
  MarkerFinder finder_;
  bool think_repeated_ = false;
  std::string space_;         // the end of the text so far, if it is space
  bool at_edge_ = false;      // nothing but space since a tag or call
  bool after_call_ = false;   // at an edge: the call's end marker or the next call may follow
  bool has_content_ = false;  // anything but space
  std::unique_ptr<CallReader> reader_;
  std::string lead_;  // space and marker before the call that is read
  int calls_ = 0;
  bool incomplete_ = false;
  Kind pending_kind_ = Kind::kContent;
  std::string pending_;  // text of one kind on its way to the sink
};

}  // namespace ringlet::server
