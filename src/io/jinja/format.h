// Values as text: Python's str() and repr(), json.dumps, and the two string formatting languages.
#pragma once

#include <string>
#include <string_view>

#include "io/jinja/runtime.h"
#include "io/jinja/unicode.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

// The shortest text that reads back as the same double, in Python's layout: 1.0, 1e+16, inf.
std::string FloatRepr(double value);

void AppendStr(TextBuilder& out, const Value& value);
void AppendRepr(TextBuilder& out, const Value& value);

// str(value) as a value; a string is returned as it is.
Value Str(Runtime& runtime, const Value& value);

// The text as HTML would need it; markup is returned as it is.
Value EscapeHtml(Runtime& runtime, const Value& text);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool indented = false;
  std::string indent;  // of one level
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};

void AppendJson(TextBuilder& out, const Value& value, const JsonStyle& style);

// `format` % arguments, where `arguments` is a tuple, a dict or one value.
Value PercentFormat(Runtime& runtime, const Value& format, const Value& arguments);

// format.format(...), with the fields {}, {0} and {name} only.
Value BraceFormat(Runtime& runtime, const Value& format, const Arguments& arguments);

// text.replace(from, to, count); a negative count replaces all.
Value ReplaceText(Runtime& runtime, std::string_view text, std::string_view from,
                  std::string_view to, int64_t count);

// The text with `fill` (one character) up to `width` code points; kLeft pads on the right.
Value PadText(Runtime& runtime, std::string_view text, Side text_side, int64_t width,
              std::string_view fill);

}  // namespace ringlet::jinja
