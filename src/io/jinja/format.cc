#include "io/jinja/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/jinja/error.h"
#include "io/jinja/operators.h"
#include "io/jinja/unicode.h"
#include "io/utf8.h"

namespace ringlet::jinja {
namespace {

class Printer {
 public:
  Printer(TextBuilder& out, JsonStyle style) : out_(out), style_(std::move(style)) {}

  void Repr(const Value& value);
  void Json(const Value& value);

 private:
  void ReprList(const List& list);
  void ReprDict(const Dict& dict);
  void JsonList(const List& list);
  void JsonDict(const Dict& dict);
  void JsonString(std::string_view text);
  void JsonKey(const Value& key);
  void NewLine();

  TextBuilder& out_;
  const JsonStyle style_;
  uint32_t depth_ = 0;
};

// Python prefers single quotes and switches when that saves escapes.
void ReprString(TextBuilder& out, std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string piece(1, quote);
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = NextCodePoint(text, &pos);
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      piece += '\\';
      piece += static_cast<char>(c);
    } else if (c == '\n') {
      piece += "\\n";
    } else if (c == '\r') {
      piece += "\\r";
    } else if (c == '\t') {
      piece += "\\t";
    } else if (IsPrintable(c)) {
      AppendUtf8(c, piece);
    } else if (c <= 0xFF) {
      piece += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
    } else if (c <= 0xFFFF) {
      piece += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    } else {
      piece += fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
    }
    if (piece.size() >= 4096) {
      out.Append(piece);
      piece.clear();
    }
  }
  out.Append(piece);
  out.Append(quote);
}

void Printer::ReprList(const List& list) {
  const DepthGuard guard(&depth_, out_.runtime().limits().max_value_depth, "a printed value");
  if (list.type == ListType::kRange) {
    out_.Append(
        list.range_step == 1
            ? fmt::format("range({}, {})", list.range_start, list.range_stop)
            : fmt::format("range({}, {}, {})", list.range_start, list.range_stop, list.range_step));
    return;
  }
  if (list.type == ListType::kGenerator) return out_.Append("<generator object>");
  const bool view = list.type == ListType::kKeys || list.type == ListType::kValues ||
                    list.type == ListType::kItems;
  const bool tuple = list.type == ListType::kTuple || list.type == ListType::kGroup;
  if (list.type == ListType::kKeys) out_.Append("dict_keys(");
  if (list.type == ListType::kValues) out_.Append("dict_values(");
  if (list.type == ListType::kItems) out_.Append("dict_items(");
  out_.Append(tuple ? '(' : '[');
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out_.Append(", ");
    Repr(list.items[i]);
  }
  if (tuple && list.items.size() == 1) out_.Append(',');
  out_.Append(tuple ? ')' : ']');
  if (view) out_.Append(')');
}

void Printer::ReprDict(const Dict& dict) {
  const DepthGuard guard(&depth_, out_.runtime().limits().max_value_depth, "a printed value");
  out_.Append('{');
  bool first = true;
  for (const auto& [key, item] : dict.entries) {
    if (!first) out_.Append(", ");
    first = false;
    Repr(key);
    out_.Append(": ");
    Repr(item);
  }
  out_.Append('}');
}

void Printer::Repr(const Value& value) {
  out_.runtime().Step();
  switch (value.kind()) {
    case Kind::kUndefined:
      return out_.Append("Undefined");
    case Kind::kNone:
      return out_.Append("None");
    case Kind::kBool:
      return out_.Append(value.boolean() ? "True" : "False");
    case Kind::kInt:
      return out_.Append(fmt::format("{}", value.integer()));
    case Kind::kFloat:
      return out_.Append(FloatRepr(value.number()));
    case Kind::kString:
      return ReprString(out_, value.text());
    case Kind::kList:
      return ReprList(value.list());
    case Kind::kDict:
      return ReprDict(value.dict());
    case Kind::kNamespace:
      out_.Append("<Namespace ");
      ReprDict(value.dict());
      return out_.Append('>');
    default:
      return out_.Append(fmt::format("<{}>", TypeName(value)));
  }
}

void Printer::NewLine() {
  out_.Append('\n');
  for (uint32_t i = 0; i < depth_; ++i) out_.Append(style_.indent);
}

void Printer::JsonString(std::string_view text) {
  std::string piece = "\"";
  for (size_t pos = 0; pos < text.size();) {
    const size_t begin = pos;
    const char32_t c = NextCodePoint(text, &pos);
    switch (c) {
      case '"':
        piece += "\\\"";
        break;
      case '\\':
        piece += "\\\\";
        break;
      case '\n':
        piece += "\\n";
        break;
      case '\r':
        piece += "\\r";
        break;
      case '\t':
        piece += "\\t";
        break;
      case '\b':
        piece += "\\b";
        break;
      case '\f':
        piece += "\\f";
        break;
      default:
        if (c < 0x20 || (c > 0x7E && style_.ensure_ascii && c <= 0xFFFF)) {
          piece += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
        } else if (c > 0xFFFF && style_.ensure_ascii) {
          const auto rest = static_cast<uint32_t>(c) - 0x10000;
          piece +=
              fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
        } else {
          piece += text.substr(begin, pos - begin);
        }
    }
    if (piece.size() >= 4096) {
      out_.Append(piece);
      piece.clear();
    }
  }
  piece += '"';
  out_.Append(piece);
}

void Printer::JsonKey(const Value& key) {
  switch (key.kind()) {
    case Kind::kString:
      return JsonString(key.text());
    case Kind::kNone:
      return out_.Append("\"null\"");
    case Kind::kBool:
      return out_.Append(key.boolean() ? "\"true\"" : "\"false\"");
    case Kind::kInt:
      return out_.Append(fmt::format("\"{}\"", key.integer()));
    case Kind::kFloat:
      return out_.Append(fmt::format("\"{}\"", FloatRepr(key.number())));
    default:
      Fail("keys must be str, int, float, bool or None, not {}", TypeName(key));
  }
}

void Printer::JsonList(const List& list) {
  if (list.items.empty()) return out_.Append("[]");
  out_.Append('[');
  {
    const DepthGuard guard(&depth_, out_.runtime().limits().max_value_depth, "a printed value");
    for (size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.Append(style_.item_separator);
      if (style_.indented) NewLine();
      Json(list.items[i]);
    }
  }
  if (style_.indented) NewLine();
  out_.Append(']');
}

void Printer::JsonDict(const Dict& dict) {
  if (dict.entries.empty()) return out_.Append("{}");
  std::vector<const std::pair<Value, Value>*> entries;
  entries.reserve(dict.entries.size());
  for (const auto& entry : dict.entries) entries.push_back(&entry);
  if (style_.sort_keys) {
    std::stable_sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
      return Compare(out_.runtime(), Operator::kLess, a->first, b->first);
    });
  }
  out_.Append('{');
  {
    const DepthGuard guard(&depth_, out_.runtime().limits().max_value_depth, "a printed value");
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_.Append(style_.item_separator);
      if (style_.indented) NewLine();
      JsonKey(entries[i]->first);
      out_.Append(style_.key_separator);
      Json(entries[i]->second);
    }
  }
  if (style_.indented) NewLine();
  out_.Append('}');
}

void Printer::Json(const Value& value) {
  out_.runtime().Step();
  switch (value.kind()) {
    case Kind::kNone:
      return out_.Append("null");
    case Kind::kBool:
      return out_.Append(value.boolean() ? "true" : "false");
    case Kind::kInt:
      return out_.Append(fmt::format("{}", value.integer()));
    case Kind::kFloat: {
      const double number = value.number();
      if (std::isnan(number)) return out_.Append("NaN");
      if (std::isinf(number)) return out_.Append(number > 0 ? "Infinity" : "-Infinity");
      return out_.Append(FloatRepr(number));
    }
    case Kind::kString:
      return JsonString(value.text());
    case Kind::kDict:
      return JsonDict(value.dict());
    case Kind::kList:
      if (value.list().type <= ListType::kGroup) return JsonList(value.list());
      [[fallthrough]];
    default:
      Fail("Object of type {} is not JSON serializable", TypeName(value));
  }
}

}  // namespace

std::string FloatRepr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char buffer[64];
  auto result =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  const std::string scientific(buffer, result.ptr);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return scientific;
  result = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed);
  std::string fixed(buffer, result.ptr);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

void AppendStr(TextBuilder& out, const Value& value) {
  if (value.IsUndefined()) return;
  if (value.IsString()) return out.Append(value.text());
  AppendRepr(out, value);
}

void AppendRepr(TextBuilder& out, const Value& value) { Printer(out, {}).Repr(value); }

Value Str(Runtime& runtime, const Value& value) {
  if (value.IsString()) return value;
  TextBuilder out(runtime);
  AppendStr(out, value);
  return out.Finish();
}

Value EscapeHtml(Runtime& runtime, const Value& text) {
  if (text.IsMarkup()) return text;
  TextBuilder out(runtime);
  const std::string_view rest = text.text();
  size_t pos = 0;
  while (pos < rest.size()) {
    const size_t at = std::min(rest.find_first_of("&<>'\"", pos), rest.size());
    out.Append(rest.substr(pos, at - pos));
    pos = at + 1;
    if (at == rest.size()) break;
    switch (rest[at]) {
      case '&':
        out.Append("&amp;");
        break;
      case '<':
        out.Append("&lt;");
        break;
      case '>':
        out.Append("&gt;");
        break;
      case '\'':
        out.Append("&#39;");
        break;
      default:
        out.Append("&#34;");
    }
  }
  return out.Finish(/*markup=*/true);
}

void AppendJson(TextBuilder& out, const Value& value, const JsonStyle& style) {
  Printer(out, style).Json(value);
}

}  // namespace ringlet::jinja
