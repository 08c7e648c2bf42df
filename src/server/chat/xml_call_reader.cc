#include "server/chat/xml_call_reader.h"

#include <utility>

#include "server/chat/json_scanner.h"
#include "server/chat/tools.h"
#include "server/chat/xml_call_grammar.h"

namespace ringlet::server {
namespace {

constexpr std::string_view kFunction = "<function=";
constexpr std::string_view kFunctionEnd = "</function>";
constexpr std::string_view kParameter = "<parameter=";
constexpr size_t kMaxName = 256;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The tag that `raw` ends with the beginning of.
std::string_view Tag(std::string_view raw) {
  const size_t begin = raw.find_last_of('<');
  return begin == std::string_view::npos ? std::string_view() : raw.substr(begin);
}

// As the inside of a JSON string. Looks at ASCII only: a character may be cut between two texts.
std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const std::string_view control = EscapeControl(c);
    if (c == '"' || c == '\\') out += '\\';
    out += control.empty() ? std::string_view(&c, 1) : control;
  }
  return out;
}

// The JSON that a value is, or the value as a string.
std::string ToJson(std::string_view text) {
  for (const auto& [python, json] : {std::pair<std::string_view, std::string_view>{"True", "true"},
                                     {"False", "false"},
                                     {"None", "null"}}) {
    if (text == python) return std::string(json);
  }
  if (ParseOrderedJson(text, "").ok()) return std::string(text);
  return "\"" + Escape(text) + "\"";
}

}  // namespace

XmlCallReader::XmlCallReader(const ToolSyntaxSpec&, CallEntry entry, const OrderedJson& tools,
                             CallEvents& events)
    : tools_(tools),
      events_(events),
      state_(entry == CallEntry::kSecondMarker ? State::kName : State::kFunction) {}

CallReader::Step XmlCallReader::Push(char c) {
  switch (state_) {
    case State::kName:
    case State::kKey:
      return Name(c);
    case State::kValue:
      return Value(c);
    default:
      return Between(c);
  }
}

// Space, and the tags that may come outside of a value. What was taken of a tag is the end of raw_.
CallReader::Step XmlCallReader::Between(char c) {
  const std::string_view begun = Tag(raw_);
  if (begun.empty() && IsSpace(c)) {
    raw_ += c;
    return Step::kMore;
  }
  const std::string tag = std::string(begun) + c;
  const auto begins = [&](std::string_view whole) { return whole.starts_with(tag); };
  if (state_ == State::kFunction ? !begins(kFunction)
                                 : !begins(kParameter) && !begins(kFunctionEnd)) {
    return Broken();
  }
  raw_ += c;
  if (tag == kFunction) state_ = State::kName;
  if (tag == kParameter) state_ = State::kKey;
  if (tag != kFunctionEnd) return Step::kMore;
  events_.Arguments("}");
  complete_ = true;
  raw_.clear();
  return Step::kDone;
}

// The name of a function or parameter, up to the end of its tag.
CallReader::Step XmlCallReader::Name(char c) {
  std::string& name = state_ == State::kName ? name_ : key_;
  if (c != '>') {
    if (c == '<' || c == '\n' || name.size() == kMaxName) return Broken();
    raw_ += c;
    name += c;
    return Step::kMore;
  }
  if (name.empty()) return Broken();
  if (state_ == State::kName) {
    BeginCall();
  } else if (!BeginParameter()) {
    return Broken();
  }
  raw_.clear();
  return Step::kMore;
}

void XmlCallReader::BeginCall() {
  state_ = State::kBetween;
  begun_ = true;
  events_.Begin(name_);
  events_.Arguments("{");
}

bool XmlCallReader::BeginParameter() {
  if (!keys_.insert(key_).second) return false;
  as_string_ = IsTextParameter(Schema());
  events_.Arguments((keys_.size() > 1 ? ", \"" : "\"") + Escape(key_) +
                    (as_string_ ? "\": \"" : "\": "));
  key_.clear();
  value_.clear();
  value_started_ = false;
  value_end_ = MarkerFinder({"\n</parameter>", "</parameter>"});
  state_ = State::kValue;
  return true;
}

CallReader::Step XmlCallReader::Value(char c) {
  if (!value_started_) {
    value_started_ = true;
    // The break after the tag, which may also be the one before the end of an empty value.
    if (c == '\n') return Step::kMore;
  }
  std::string text;
  const bool ended = value_end_.Push(c, text).has_value();
  ValueText(text);
  if (ended) EndValue();
  return Step::kMore;
}

void XmlCallReader::ValueText(std::string_view text) {
  if (!as_string_) {
    value_ += text;
  } else if (!text.empty()) {
    events_.Arguments(Escape(text));
  }
}

void XmlCallReader::EndValue() {
  events_.Arguments(as_string_ ? std::string("\"") : ToJson(value_));
  state_ = State::kBetween;
}

// Outside of a value the object can be closed where it is.
CallReader::Step XmlCallReader::Broken() {
  if (begun_ && state_ != State::kValue) {
    events_.Arguments("}");
    complete_ = true;
  }
  return Step::kBroken;
}

// A value that was cut short stays so: the client must see that the arguments are not whole.
void XmlCallReader::Finish() {
  if (!begun_ || state_ != State::kValue) return;
  std::string text;
  value_end_.Finish(text);
  ValueText(text);
  if (!as_string_) events_.Arguments(value_);
}

// Of the parameter key_, in the tools.
const OrderedJson* XmlCallReader::Schema() const {
  const OrderedJson* function = FindTool(tools_, name_);
  const OrderedJson::json_pointer path("/parameters/properties");
  if (function == nullptr || !function->contains(path)) return nullptr;
  const OrderedJson& properties = (*function)[path];
  if (!properties.is_object()) return nullptr;
  const auto found = properties.find(key_);
  return found == properties.end() ? nullptr : &*found;
}

}  // namespace ringlet::server
