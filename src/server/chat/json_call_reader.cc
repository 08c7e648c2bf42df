#include "server/chat/json_call_reader.h"

#include "server/chat/tools.h"

namespace ringlet::server {
namespace {

using Event = JsonScanner::Event;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The text of a JSON string, if it is one.
std::optional<std::string> Decode(std::string_view token) {
  const Result<OrderedJson> parsed = ParseOrderedJson(token, "");
  if (!parsed.ok() || !parsed->is_string()) return std::nullopt;
  return parsed->get<std::string>();
}

}  // namespace

JsonCallReader::JsonCallReader(const ToolSyntaxSpec& spec, CallEntry entry,
                               const OrderedJson& tools, CallEvents& events)
    : spec_(spec),
      tools_(tools),
      events_(events),
      bare_(spec.bare && entry != CallEntry::kMarker),
      list_pending_(spec.list && entry == CallEntry::kMarker),
      separator_allowed_(entry == CallEntry::kNext) {}

CallReader::Step JsonCallReader::Push(char c) {
  if (!in_object_) {
    if (!Prefix(c)) return Step::kBroken;
    raw_ += c;
    return Step::kMore;
  }
  const Event event = scanner_.Push(c);
  if (event == Event::kError) return Step::kBroken;
  if (event == Event::kClose && scanner_.depth() == 0) {
    if (!EndMember() || !EndCall()) return Step::kBroken;
    raw_.clear();
    return Step::kDone;
  }
  return Take(event, c) ? Step::kMore : Step::kBroken;
}

// What comes before the call's brace, and the brace.
bool JsonCallReader::Prefix(char c) {
  if (IsSpace(c)) return true;
  const bool separator = separator_allowed_ && spec_.separators.find(c) != std::string_view::npos;
  separator_allowed_ = false;
  if (separator) return true;
  if (list_pending_) {
    list_pending_ = false;
    return c == '[';
  }
  if (c != '{') return false;
  scanner_.Push(c);
  in_object_ = true;
  return true;
}

bool JsonCallReader::Take(Event event, char c) {
  if (!in_value_) {
    raw_ += c;
    if (event == Event::kStringOpen) token_.clear();
    if (event == Event::kStringPart || event == Event::kStringOpen) {
      const std::string_view escape = EscapeControl(c);
      token_ += escape.empty() ? std::string_view(&c, 1) : escape;
    }
    if (event == Event::kStringClose) {
      token_ += c;
      if (!Key()) {
        raw_.pop_back();
        return false;
      }
    }
    if (event == Event::kColon) {
      in_value_ = true;
      token_.clear();
    }
    return true;
  }
  if (event == Event::kComma && scanner_.depth() == 1) {
    if (!EndMember()) return false;
    raw_ += c;
    return true;
  }
  if (member_ == Member::kArguments) return ArgumentsByte(event, c);
  if (member_ == Member::kName) {
    const std::string_view escape =
        event == Event::kStringPart ? EscapeControl(c) : std::string_view();
    token_ += escape.empty() ? std::string_view(&c, 1) : escape;
    if (!NameByte(event)) return false;
  }
  raw_ += c;
  return true;
}

// A key was closed: the member that begins.
bool JsonCallReader::Key() {
  const std::optional<std::string> key = Decode(token_);
  if (!key) return false;
  if (*key == "name") {
    member_ = Member::kName;
    return !name_.has_value();
  }
  if (*key == "arguments" || *key == "parameters") {
    member_ = Member::kArguments;
    return arguments_ == Arguments::kNone;
  }
  member_ = Member::kOther;
  return !bare_ || *key == "type";
}

bool JsonCallReader::NameByte(Event event) {
  if (event != Event::kStringClose) {
    return event == Event::kSpace || event == Event::kStringOpen || event == Event::kStringPart;
  }
  // Space before the string is fine for the parser of the token, too.
  name_ = Decode(token_);
  return name_ && !name_->empty() && KnownName();
}

bool JsonCallReader::KnownName() const { return !bare_ || FindTool(tools_, *name_) != nullptr; }

bool JsonCallReader::ArgumentsByte(Event event, char c) {
  if (arguments_ == Arguments::kNone) {
    if (event == Event::kSpace) {
      raw_ += c;
      return true;
    }
    if (c == '{') {
      arguments_ = Arguments::kObject;
    } else if (!bare_ && (c == '"' || c == 'n')) {
      arguments_ = Arguments::kHeld;
    } else {
      return false;
    }
  }
  const std::string_view escape =
      event == Event::kStringPart ? EscapeControl(c) : std::string_view();
  const std::string_view text = escape.empty() ? std::string_view(&c, 1) : escape;
  if (arguments_ == Arguments::kHeld || complete_) {
    if (!complete_) token_ += text;
    raw_ += c;
    return true;
  }
  held_ += text;
  complete_ = event == Event::kClose && scanner_.depth() == 1;
  if (name_) {
    Deliver();
  } else {
    raw_ += c;
  }
  return true;
}

// A value was ended by a comma or by the call's end.
bool JsonCallReader::EndMember() {
  if (!in_value_) return true;
  in_value_ = false;
  if (member_ == Member::kArguments && arguments_ == Arguments::kHeld && !Unpack()) return false;
  if (name_ && complete_ && !held_.empty()) Deliver();
  return true;
}

// Arguments that came as a string or null.
bool JsonCallReader::Unpack() {
  const Result<OrderedJson> parsed = ParseOrderedJson(token_, "");
  if (!parsed.ok()) return false;
  held_ = parsed->is_string() ? parsed->get<std::string>() : "";
  if (held_.empty()) held_ = "{}";
  const Result<OrderedJson> object = ParseOrderedJson(held_, "");
  complete_ = object.ok() && object->is_object();
  return complete_;
}

bool JsonCallReader::EndCall() {
  if (!name_) return false;
  if (arguments_ == Arguments::kNone) {
    if (bare_) return false;
    held_ = "{}";
    complete_ = true;
  }
  if (!held_.empty()) Deliver();
  return true;
}

// Delivers the arguments that are held; the call begins with the first of them.
void JsonCallReader::Deliver() {
  if (!begun_) {
    begun_ = true;
    raw_.clear();
    events_.Begin(*name_);
  }
  events_.Arguments(held_);
  held_.clear();
}

}  // namespace ringlet::server
