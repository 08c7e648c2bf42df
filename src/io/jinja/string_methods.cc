#include <algorithm>
#include <optional>

#include "io/jinja/error.h"
#include "io/jinja/format.h"
#include "io/jinja/method_table.h"
#include "io/jinja/operators.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {
namespace {

using Bound = BoundArguments;

// Part of `self`, which stays markup when that is.
Value Copy(Runtime& runtime, const Value& self, std::string_view text) {
  runtime.CheckRoom(text.size());
  return runtime.String(std::string(text), self.IsMarkup());
}

Value ListOf(Runtime& runtime, const Value& self, const std::vector<std::string_view>& parts,
             ListType type = ListType::kList) {
  runtime.Step(parts.size());
  const Value list = runtime.NewList(type);
  for (const std::string_view part : parts) runtime.Append(list.list(), Copy(runtime, self, part));
  return list;
}

// A method that maps the text, as `f(text)`.
template <std::string (*f)(std::string_view)>
Value Mapped(Runtime& runtime, const Value& self, const Bound&) {
  runtime.CheckRoom(3 * self.text().size());
  runtime.StepText(self.text().size());
  return runtime.String(f(self.text()), self.IsMarkup());
}

template <Side side>
Value StripMethod(Runtime& runtime, const Value& self, const Bound& arguments) {
  runtime.StepText(self.text().size());
  if (!arguments.Given(0)) return Copy(runtime, self, Strip(self.text(), side));
  return Copy(runtime, self, Strip(self.text(), side, arguments.Text(0, "")));
}

template <bool from_right>
Value Split(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::string_view text = self.text();
  const int64_t max_split = arguments.Integer(1, -1);
  runtime.StepText(text.size());
  // The parts are views first; their values are charged one by one.
  if (!arguments.Given(0)) {
    runtime.CheckRoom((text.size() / 2 + 1) * sizeof(std::string_view));
    return ListOf(runtime, self, SplitSpaces(text, max_split, from_right));
  }
  const std::string_view separator = arguments.Text(0, "");
  if (separator.empty()) Fail("empty separator");
  runtime.StepSearch(2 * text.size(), separator.size());
  runtime.CheckRoom((CountOccurrences(text, separator) + 1) * sizeof(std::string_view));
  return ListOf(runtime, self, SplitAt(text, separator, max_split, from_right));
}

template <bool from_right>
Value Partition(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::string_view text = self.text();
  const std::string_view separator = arguments.Text(0, "");
  if (separator.empty()) Fail("empty separator");
  runtime.StepSearch(text.size(), separator.size());
  const size_t at = from_right ? FindLast(text, separator) : Find(text, separator);
  if (at == std::string_view::npos) {
    return from_right ? ListOf(runtime, self, {"", "", text}, ListType::kTuple)
                      : ListOf(runtime, self, {text, "", ""}, ListType::kTuple);
  }
  return ListOf(runtime, self, {text.substr(0, at), separator, text.substr(at + separator.size())},
                ListType::kTuple);
}

Value Lines(Runtime& runtime, const Value& self, const Bound& arguments) {
  runtime.StepText(self.text().size());
  runtime.CheckRoom((self.text().size() + 1) * sizeof(std::string_view));
  return ListOf(runtime, self, SplitLines(self.text(), arguments.Flag(0, false)));
}

// The part between the arguments `start` and `end`, and where it begins in code points.
struct Window {
  std::string_view text;
  size_t start = 0;
  bool valid = true;  // false when start lies beyond the end
};

Window WindowOf(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::string_view text = self.text();
  runtime.StepText(text.size());
  if (!arguments.Given(1) && !arguments.Given(2)) return {text};
  const auto length = static_cast<int64_t>(CountCodePoints(text));
  const auto clamp = [&](size_t index, int64_t otherwise) {
    int64_t at = arguments.Given(index) ? arguments.Integer(index, otherwise) : otherwise;
    if (at < 0) at = std::max<int64_t>(at + length, 0);
    return at;
  };
  const int64_t start = clamp(1, 0);
  const int64_t end = std::min(clamp(2, length), length);
  if (start > length) return {"", static_cast<size_t>(length), false};
  if (start > end) return {"", static_cast<size_t>(start), false};
  const size_t begin = ByteOffset(text, static_cast<size_t>(start));
  const size_t size = ByteOffset(text.substr(begin), static_cast<size_t>(end - start));
  return {text.substr(begin, size), static_cast<size_t>(start)};
}

template <bool from_right>
std::optional<int64_t> FindIn(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::string_view needle = arguments.Text(0, "");
  const Window window = WindowOf(runtime, self, arguments);
  if (!window.valid) return std::nullopt;
  runtime.StepSearch(window.text.size(), needle.size());
  const size_t at = from_right ? FindLast(window.text, needle) : Find(window.text, needle);
  if (at == std::string_view::npos) return std::nullopt;
  return static_cast<int64_t>(window.start + CountCodePoints(window.text.substr(0, at)));
}

template <bool from_right>
Value FindMethod(Runtime& runtime, const Value& self, const Bound& arguments) {
  return Value::Int(FindIn<from_right>(runtime, self, arguments).value_or(-1));
}

template <bool from_right>
Value IndexMethod(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::optional<int64_t> at = FindIn<from_right>(runtime, self, arguments);
  if (!at) Fail("substring not found");
  return Value::Int(*at);
}

Value CountMethod(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::string_view needle = arguments.Text(0, "");
  const Window window = WindowOf(runtime, self, arguments);
  if (!window.valid) return Value::Int(0);
  runtime.StepSearch(window.text.size(), needle.size());
  const size_t count =
      needle.empty() ? CountCodePoints(window.text) + 1 : CountOccurrences(window.text, needle);
  return Value::Int(static_cast<int64_t>(count));
}

template <bool at_end>
Value Affix(Runtime& runtime, const Value& self, const Bound& arguments) {
  const Window window = WindowOf(runtime, self, arguments);
  const auto matches = [&](std::string_view affix) {
    return window.valid && (at_end ? window.text.ends_with(affix) : window.text.starts_with(affix));
  };
  const Value& wanted = *arguments.Get(0);
  if (!wanted.IsSequence(ListType::kTuple)) return Value::Bool(matches(arguments.Text(0, "")));
  for (const Value& affix : wanted.list().items) {
    if (!affix.IsString()) Fail("a tuple of affixes holds {}, expected str", TypeName(affix));
    if (matches(affix.text())) return Value::Bool(true);
  }
  return Value::Bool(false);
}

template <bool at_end>
Value RemoveAffix(Runtime& runtime, const Value& self, const Bound& arguments) {
  std::string_view text = self.text();
  const std::string_view affix = arguments.Text(0, "");
  if (at_end && text.ends_with(affix)) text.remove_suffix(affix.size());
  if (!at_end && text.starts_with(affix)) text.remove_prefix(affix.size());
  return Copy(runtime, self, text);
}

Value JoinMethod(Runtime& runtime, const Value& self, const Bound& arguments) {
  RequireDefined(*arguments.Get(0));
  TextBuilder out(runtime);
  size_t index = 0;
  for (const Value& item : Iterate(runtime, *arguments.Get(0))) {
    runtime.Step();
    if (!item.IsString()) {
      Fail("sequence item {}: expected str instance, {} found", index, TypeName(item));
    }
    if (index++ > 0) out.Append(self.text());
    out.Append(self.IsMarkup() ? EscapeHtml(runtime, item).text() : item.text());
  }
  return out.Finish(self.IsMarkup());
}

Value ReplaceMethod(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::string_view from = arguments.Text(0, "");
  const std::string_view to = arguments.Text(1, "");
  const int64_t count = arguments.Integer(2, -1);
  if (!self.IsMarkup()) return ReplaceText(runtime, self.text(), from, to, count);
  const Value escaped = EscapeHtml(runtime, *arguments.Get(1));
  const Value out = ReplaceText(runtime, self.text(), from, escaped.text(), count);
  return Copy(runtime, self, out.text());
}

template <Side text_side>
Value Justify(Runtime& runtime, const Value& self, const Bound& arguments) {
  const std::string_view fill = arguments.Text(1, " ");
  if (CountCodePoints(fill) != 1) Fail("The fill character must be exactly one character long");
  return PadText(runtime, self.text(), text_side, arguments.Integer(0, 0), fill);
}

Value ZeroFill(Runtime& runtime, const Value& self, const Bound& arguments) {
  std::string_view text = self.text();
  const bool sign = text.starts_with('+') || text.starts_with('-');
  const std::string_view head = text.substr(0, sign ? 1 : 0);
  int64_t width = 0;
  if (__builtin_sub_overflow(arguments.Integer(0, 0), sign ? 1 : 0, &width)) width = 0;
  const Value digits = PadText(runtime, text.substr(head.size()), Side::kRight, width, "0");
  TextBuilder out(runtime);
  out.Append(head);
  out.Append(digits.text());
  return out.Finish();
}

// True when the text is not empty and `f` holds for all of it.
template <bool (*f)(char32_t)>
Value AllOf(Runtime& runtime, const Value& self, const Bound&) {
  const std::string_view text = self.text();
  runtime.StepText(text.size());
  for (size_t pos = 0; pos < text.size();) {
    if (!f(NextCodePoint(text, &pos))) return Value::Bool(false);
  }
  return Value::Bool(!text.empty());
}

template <bool (*f)(std::string_view)>
Value Whole(Runtime& runtime, const Value& self, const Bound&) {
  runtime.StepText(self.text().size());
  return Value::Bool(f(self.text()));
}

bool IsAlphanumeric(char32_t c) { return IsAlpha(c) || IsNumeric(c); }

Value FormatMethod(Runtime& runtime, const Value& self, const Bound& arguments) {
  return BraceFormat(runtime, self, arguments.all());
}

constexpr Method kStringMethods[] = {
    {"strip", {{"chars"}, 0}, StripMethod<Side::kBoth>},
    {"lstrip", {{"chars"}, 0}, StripMethod<Side::kLeft>},
    {"rstrip", {{"chars"}, 0}, StripMethod<Side::kRight>},
    {"split", {{"sep", "maxsplit"}, 0}, Split<false>},
    {"rsplit", {{"sep", "maxsplit"}, 0}, Split<true>},
    {"partition", {{"sep"}, 1}, Partition<false>},
    {"rpartition", {{"sep"}, 1}, Partition<true>},
    {"splitlines", {{"keepends"}, 0}, Lines},
    {"startswith", {{"prefix", "start", "end"}, 1}, Affix<false>},
    {"endswith", {{"suffix", "start", "end"}, 1}, Affix<true>},
    {"removeprefix", {{"prefix"}, 1}, RemoveAffix<false>},
    {"removesuffix", {{"suffix"}, 1}, RemoveAffix<true>},
    {"find", {{"sub", "start", "end"}, 1}, FindMethod<false>},
    {"rfind", {{"sub", "start", "end"}, 1}, FindMethod<true>},
    {"index", {{"sub", "start", "end"}, 1}, IndexMethod<false>},
    {"rindex", {{"sub", "start", "end"}, 1}, IndexMethod<true>},
    {"count", {{"sub", "start", "end"}, 1}, CountMethod},
    {"replace", {{"old", "new", "count"}, 2}, ReplaceMethod},
    {"join", {{"iterable"}, 1}, JoinMethod},
    {"format", {{}, 0, true}, FormatMethod},
    {"upper", {}, Mapped<ToUpper>},
    {"lower", {}, Mapped<ToLower>},
    {"title", {}, Mapped<TitleWords>},
    {"capitalize", {}, Mapped<Capitalize>},
    {"swapcase", {}, Mapped<SwapCase>},
    {"center", {{"width", "fillchar"}, 1}, Justify<Side::kBoth>},
    {"ljust", {{"width", "fillchar"}, 1}, Justify<Side::kLeft>},
    {"rjust", {{"width", "fillchar"}, 1}, Justify<Side::kRight>},
    {"zfill", {{"width"}, 1}, ZeroFill},
    {"isalpha", {}, AllOf<IsAlpha>},
    {"isalnum", {}, AllOf<IsAlphanumeric>},
    {"isdigit", {}, AllOf<IsDigit>},
    {"isdecimal", {}, AllOf<IsDecimal>},
    {"isnumeric", {}, AllOf<IsNumeric>},
    {"isspace", {}, AllOf<IsSpace>},
    {"isupper", {}, Whole<IsAllUpper>},
    {"islower", {}, Whole<IsAllLower>},
    {"isascii", {}, Whole<IsAscii>},
};

}  // namespace

std::span<const Method> StringMethods() { return kStringMethods; }

Value ReplaceText(Runtime& runtime, std::string_view text, std::string_view from,
                  std::string_view to, int64_t count) {
  runtime.StepSearch(text.size(), from.size());
  TextBuilder out(runtime);
  if (from.empty()) {  // before every character and at the end
    size_t pos = 0;
    for (; count != 0; --count) {
      runtime.Step();
      out.Append(to);
      const size_t begin = pos;
      if (pos == text.size()) return out.Finish();
      NextCodePoint(text, &pos);
      out.Append(text.substr(begin, pos - begin));
    }
    out.Append(text.substr(pos));
    return out.Finish();
  }
  size_t pos = 0;
  for (; count != 0; --count) {
    const size_t at = Find(text, from, pos);
    if (at == std::string_view::npos) break;
    out.Append(text.substr(pos, at - pos));
    out.Append(to);
    pos = at + from.size();
  }
  out.Append(text.substr(pos));
  return out.Finish();
}

Value PadText(Runtime& runtime, std::string_view text, Side text_side, int64_t width,
              std::string_view fill) {
  const auto length = static_cast<int64_t>(CountCodePoints(text));
  const int64_t missing = std::max<int64_t>(width - length, 0);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(missing), fill.size(), &bytes)) {
    bytes = UINT64_MAX / 2;
  }
  runtime.CheckRoom(bytes + text.size());
  int64_t left = text_side == Side::kLeft ? 0 : missing;
  // Python's str.center puts the odd character on the left when the width is odd.
  if (text_side == Side::kBoth) left = missing / 2 + (missing & width & 1);
  std::string out;
  out.reserve(bytes + text.size());
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (int64_t i = left; i < missing; ++i) out += fill;
  return runtime.String(std::move(out));
}

}  // namespace ringlet::jinja
