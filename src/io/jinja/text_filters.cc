#include <algorithm>

#include "io/jinja/error.h"
#include "io/jinja/filters.h"
#include "io/jinja/format.h"
#include "io/jinja/operators.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {
namespace {

using Bound = BoundArguments;

Value Copy(Runtime& runtime, std::string_view text, bool markup = false) {
  runtime.CheckRoom(text.size());
  return runtime.String(std::string(text), markup);
}

template <std::string (*f)(std::string_view)>
Value Mapped(Runtime& runtime, const Value& input, const Bound&) {
  const Value text = Str(runtime, input);
  runtime.CheckRoom(3 * text.text().size());
  return runtime.String(f(text.text()), text.IsMarkup());
}

Value ToString(Runtime& runtime, const Value& input, const Bound&) { return Str(runtime, input); }

// Words begin after space, a hyphen or an opening bracket: not Python's rule, but Jinja's.
std::string TitleFilter(std::string_view text) {
  std::string out;
  bool begins = true;
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    const char32_t c = NextCodePoint(text, &pos);
    const std::string_view letter = text.substr(start, pos - start);
    out += begins ? ToUpper(letter) : ToLower(letter);
    begins = IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  }
  return out;
}

Value Trim(Runtime& runtime, const Value& input, const Bound& arguments) {
  const Value text = Str(runtime, input);
  runtime.StepText(text.text().size());
  const std::string_view stripped = arguments.Given(0)
                                        ? Strip(text.text(), Side::kBoth, arguments.Text(0, ""))
                                        : Strip(text.text(), Side::kBoth);
  return Copy(runtime, stripped, text.IsMarkup());
}

Value Replace(Runtime& runtime, const Value& input, const Bound& arguments) {
  const Value text = Str(runtime, input);
  const Value from = Str(runtime, *arguments.Get(0));
  const Value to = Str(runtime, *arguments.Get(1));
  const int64_t count = arguments.Given(2) ? arguments.Integer(2, -1) : -1;
  return ReplaceText(runtime, text.text(), from.text(), to.text(), count);
}

Value Indent(Runtime& runtime, const Value& input, const Bound& arguments) {
  RequireDefined(input);
  if (!input.IsString()) Fail("'indent' needs a string, found {}", TypeName(input));
  std::string_view prefix;
  Value spaces;
  if (arguments.Has(0) && arguments.Get(0)->IsString()) {
    prefix = arguments.Get(0)->text();
  } else {
    const int64_t width = arguments.Integer(0, 4);
    spaces = PadText(runtime, "", Side::kRight, width, " ");
    prefix = spaces.text();
  }
  const bool first = arguments.Flag(1, false);
  const bool blank = arguments.Flag(2, false);
  const std::string_view text = input.text();
  TextBuilder out(runtime);
  if (first) out.Append(prefix);
  // Jinja appends a newline before splitting, so a text that ends with one keeps an empty last
  // line.
  bool first_line = true;
  size_t begin = 0;
  for (size_t pos = 0; pos <= text.size();) {
    const size_t end = pos;
    const char32_t c = pos < text.size() ? NextCodePoint(text, &pos) : U'\n';
    if (!IsLineBreak(c)) continue;
    runtime.Step();
    const std::string_view line = text.substr(begin, end - begin);
    if (!first_line) {
      out.Append('\n');
      if (blank || !line.empty()) out.Append(prefix);
    }
    out.Append(line);
    first_line = false;
    if (end == text.size()) break;
    if (c == '\r' && pos < text.size() && text[pos] == '\n') ++pos;
    begin = pos;
  }
  return out.Finish(input.IsMarkup());
}

Value Escape(Runtime& runtime, const Value& input, const Bound&) {
  return EscapeHtml(runtime, Str(runtime, input));
}

Value ForceEscape(Runtime& runtime, const Value& input, const Bound&) {
  const Value text = Str(runtime, input);
  return EscapeHtml(runtime, text.IsMarkup() ? Copy(runtime, text.text()) : text);
}

Value Safe(Runtime& runtime, const Value& input, const Bound&) {
  const Value text = Str(runtime, input);
  runtime.CheckRoom(text.text().size());
  return runtime.String(std::string(text.text()), /*markup=*/true);
}

void AppendQuoted(TextBuilder& out, std::string_view text, bool in_query) {
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos ||
                       (c == '/' && !in_query);
    if (plain) {
      out.Append(c);
    } else if (c == ' ' && in_query) {
      out.Append('+');
    } else {
      out.Append(fmt::format("%{:02X}", static_cast<unsigned char>(c)));
    }
  }
}

Value UrlEncode(Runtime& runtime, const Value& input, const Bound&) {
  TextBuilder out(runtime);
  if (!input.Is(Kind::kDict) && !input.Is(Kind::kList)) {
    const Value text = Str(runtime, input);
    runtime.Step(text.text().size() / 64);
    AppendQuoted(out, text.text(), false);
    return out.Finish();
  }
  std::vector<std::vector<Value>> pairs;
  if (input.Is(Kind::kDict)) {
    for (const auto& [key, item] : input.dict().entries) pairs.push_back({key, item});
  } else {
    for (const Value& pair : Iterate(runtime, input)) pairs.push_back(Iterate(runtime, pair));
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    runtime.Step();
    if (pairs[i].size() != 2) Fail("'urlencode' needs pairs, found {} item(s)", pairs[i].size());
    if (i > 0) out.Append('&');
    AppendQuoted(out, Str(runtime, pairs[i][0]).text(), true);
    out.Append('=');
    AppendQuoted(out, Str(runtime, pairs[i][1]).text(), true);
  }
  return out.Finish();
}

Value WordCount(Runtime& runtime, const Value& input, const Bound&) {
  const Value held = Str(runtime, input);
  const std::string_view text = held.text();
  int64_t count = 0;
  bool inside = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = NextCodePoint(text, &pos);
    const bool word = c == '_' || IsAlpha(c) || IsNumeric(c);
    count += word && !inside;
    inside = word;
  }
  return Value::Int(count);
}

Value Center(Runtime& runtime, const Value& input, const Bound& arguments) {
  const Value text = Str(runtime, input);
  return PadText(runtime, text.text(), Side::kBoth, arguments.Integer(0, 80), " ");
}

Value Truncate(Runtime& runtime, const Value& input, const Bound& arguments) {
  RequireDefined(input);
  if (!input.IsString()) Fail("'truncate' needs a string, found {}", TypeName(input));
  const std::string_view text = input.text();
  const int64_t length = arguments.Integer(0, 255);
  const std::string_view end = arguments.Text(2, "...");
  const int64_t leeway = arguments.Given(3) ? arguments.Integer(3, 5) : 5;
  const auto end_length = static_cast<int64_t>(CountCodePoints(end));
  if (length < end_length) Fail("expected length >= {}, got {}", end_length, length);
  if (leeway < 0) Fail("expected leeway >= 0, got {}", leeway);
  const auto size = static_cast<int64_t>(CountCodePoints(text));
  if (size <= length || size - length <= leeway) return input;
  std::string_view kept =
      text.substr(0, ByteOffset(text, static_cast<size_t>(length - end_length)));
  if (!arguments.Flag(1, false)) kept = kept.substr(0, kept.rfind(' '));
  TextBuilder out(runtime);
  out.Append(kept);
  out.Append(end);
  return out.Finish();
}

Value Format(Runtime& runtime, const Value& input, const Bound& arguments) {
  const Value format = Str(runtime, input);
  const Arguments& all = arguments.all();
  if (!all.positional.empty() && !all.named.empty()) {
    Fail("'format' takes positional or named arguments, not both");
  }
  if (all.named.empty()) {
    return PercentFormat(runtime, format, runtime.Tuple(all.positional));
  }
  const Value mapping = runtime.NewDict();
  for (const auto& [name, item] : all.named) {
    runtime.Set(mapping.dict(), runtime.String(name), item);
  }
  return PercentFormat(runtime, format, mapping);
}

// transformers' tojson: json.dumps(value, ensure_ascii, indent, separators, sort_keys).
Value ToJson(Runtime& runtime, const Value& input, const Bound& arguments) {
  JsonStyle style;
  style.ensure_ascii = arguments.Flag(0, false);
  Value spaces;
  if (arguments.Given(1)) {
    style.indented = true;
    style.item_separator = ",";
    if (arguments.Get(1)->IsString()) {
      style.indent = arguments.Get(1)->text();
    } else {
      spaces = PadText(runtime, "", Side::kRight, arguments.Integer(1, 0), " ");
      style.indent = spaces.text();
    }
  }
  if (arguments.Given(2)) {
    const std::vector<Value> separators = Iterate(runtime, *arguments.Get(2));
    if (separators.size() != 2 || !separators[0].IsString() || !separators[1].IsString()) {
      Fail("'tojson': argument 'separators' needs two strings");
    }
    style.item_separator = separators[0].text();
    style.key_separator = separators[1].text();
  }
  style.sort_keys = arguments.Flag(3, false);
  TextBuilder out(runtime);
  AppendJson(out, input, style);
  return out.Finish();
}

// Not Jinja's: templates written for llama.cpp's interpreter parse tool arguments with it.
Value FromJson(Runtime& runtime, const Value& input, const Bound&) {
  RequireDefined(input);
  if (!input.IsString()) Fail("'from_json' needs a string, found {}", TypeName(input));
  runtime.CheckRoom(16 * input.text().size());  // the parsed document, before it is converted
  runtime.StepText(input.text().size());
  Result<OrderedJson> parsed = ParseOrderedJson(input.text(), "from_json");
  if (!parsed.ok()) Fail("{}", parsed.status().message());
  return runtime.FromJson(*parsed);
}

constexpr FilterSpec kTextFilters[] = {
    {"string", {}, ToString},
    {"safe", {}, Safe},
    {"upper", {}, Mapped<ToUpper>},
    {"lower", {}, Mapped<ToLower>},
    {"capitalize", {}, Mapped<Capitalize>},
    {"title", {}, Mapped<TitleFilter>},
    {"trim", {{"chars"}, 0}, Trim},
    {"replace", {{"old", "new", "count"}, 2}, Replace},
    {"indent", {{"width", "first", "blank"}, 0}, Indent},
    {"escape", {}, Escape},
    {"e", {}, Escape},
    {"forceescape", {}, ForceEscape},
    {"urlencode", {}, UrlEncode},
    {"wordcount", {}, WordCount},
    {"center", {{"width"}, 0}, Center},
    {"truncate", {{"length", "killwords", "end", "leeway"}, 0}, Truncate},
    {"format", {{}, 0, true}, Format},
    {"from_json", {}, FromJson},
    {"tojson", {{"ensure_ascii", "indent", "separators", "sort_keys"}, 0}, ToJson},
};

}  // namespace

std::span<const FilterSpec> TextFilters() { return kTextFilters; }

}  // namespace ringlet::jinja
