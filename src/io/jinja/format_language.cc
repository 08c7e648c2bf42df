// "..." % values and "...".format(values).
#include <algorithm>
#include <cmath>

#include "io/jinja/error.h"
#include "io/jinja/format.h"
#include "io/jinja/operators.h"
#include "io/jinja/unicode.h"
#include "io/utf8.h"

namespace ringlet::jinja {
namespace {

constexpr int64_t kMaxPrecision = 1000;

struct Directive {
  bool left = false, plus = false, space = false, zero = false, alternate = false;
  int64_t width = 0;
  int64_t precision = -1;
  char conversion = 's';
};

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Value& format, const Value& arguments)
      : out_(runtime), format_(format.text()), markup_(format.IsMarkup()), arguments_(arguments) {
    if (arguments.IsSequence(ListType::kTuple) || arguments.IsSequence(ListType::kGroup)) {
      values_ = arguments.list().items;
    } else {
      values_ = {arguments};
    }
  }

  Value Run() {
    while (pos_ < format_.size()) {
      const size_t percent = std::min(format_.find('%', pos_), format_.size());
      out_.Append(format_.substr(pos_, percent - pos_));
      pos_ = percent;
      if (pos_ < format_.size()) Convert();
    }
    const bool one_mapping =
        arguments_.Is(Kind::kDict) || arguments_.Is(Kind::kList) || arguments_.IsUndefined();
    const bool tuple = arguments_.IsSequence(ListType::kTuple);
    if (next_ < values_.size() && !used_mapping_ && (tuple || !one_mapping)) {
      Fail("not all arguments converted during string formatting");
    }
    return out_.Finish(markup_);
  }

 private:
  char Peek() {
    if (pos_ >= format_.size()) Fail("incomplete format");
    return format_[pos_];
  }

  const Value& NextValue() {
    if (next_ >= values_.size()) Fail("not enough arguments for format string");
    return values_[next_++];
  }

  int64_t ReadNumber() {
    if (Peek() == '*') {
      ++pos_;
      const Value& value = NextValue();
      if (!value.IsInteger()) Fail("* wants int");
      return std::clamp<int64_t>(value.integer(), -INT32_MAX, INT32_MAX);
    }
    int64_t number = 0;
    for (; Peek() >= '0' && Peek() <= '9'; ++pos_) {
      number = std::min<int64_t>(number * 10 + (Peek() - '0'), INT32_MAX);
    }
    return number;
  }

  void Convert() {
    ++pos_;
    Value keyed;
    bool has_key = false;
    if (Peek() == '(') {
      const size_t close = format_.find(')', pos_);
      if (close == std::string_view::npos) Fail("incomplete format key");
      keyed = Lookup(format_.substr(pos_ + 1, close - pos_ - 1));
      has_key = used_mapping_ = true;
      pos_ = close + 1;
    }
    const Directive directive = ReadDirective();
    if (directive.conversion == '%') return out_.Append('%');
    Emit(directive, has_key ? keyed : NextValue());
  }

  Value Lookup(std::string_view key) {
    if (!arguments_.Is(Kind::kDict)) Fail("format requires a mapping");
    const Value* found = arguments_.dict().Find(key);
    if (found == nullptr) Fail("format key '{}' is missing", key.substr(0, 60));
    return *found;
  }

  Directive ReadDirective() {
    Directive directive;
    for (bool flags = true; flags;) {
      switch (Peek()) {
        case '-':
          directive.left = true;
          break;
        case '+':
          directive.plus = true;
          break;
        case ' ':
          directive.space = true;
          break;
        case '0':
          directive.zero = true;
          break;
        case '#':
          directive.alternate = true;
          break;
        default:
          flags = false;
      }
      if (flags) ++pos_;
    }
    directive.width = ReadNumber();
    if (directive.width < 0) {
      directive.left = true;
      directive.width = -directive.width;
    }
    if (Peek() == '.') {
      ++pos_;
      directive.precision = std::max<int64_t>(ReadNumber(), 0);
    }
    while (Peek() == 'l' || Peek() == 'h' || Peek() == 'L') ++pos_;
    directive.conversion = Peek();
    ++pos_;
    return directive;
  }

  void Emit(const Directive& directive, const Value& value) {
    switch (directive.conversion) {
      case 's':
        return EmitText(directive, Str(out_.runtime(), value));
      case 'a':
      case 'r': {
        TextBuilder text(out_.runtime());
        AppendRepr(text, value);
        return EmitText(directive, text.Finish());
      }
      case 'c':
        return EmitCharacter(directive, value);
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        return EmitInteger(directive, value);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        return EmitFloat(directive, value);
      default:
        Fail("unsupported format character '{}'", directive.conversion);
    }
  }

  void EmitText(const Directive& directive, const Value& text) {
    const Value escaped = markup_ ? EscapeHtml(out_.runtime(), text) : text;
    std::string_view shown = escaped.text();
    if (directive.precision >= 0) {
      shown = shown.substr(0, ByteOffset(shown, static_cast<size_t>(directive.precision)));
    }
    Pad(directive, "", shown, ' ');
  }

  void EmitCharacter(const Directive& directive, const Value& value) {
    if (value.IsString() && CountCodePoints(value.text()) == 1) {
      return Pad(directive, "", value.text(), ' ');
    }
    if (!value.Is(Kind::kInt) || value.integer() < 0 || value.integer() > 0x10FFFF) {
      Fail("%c requires int or char");
    }
    std::string text;
    AppendUtf8(static_cast<char32_t>(value.integer()), text);
    Pad(directive, "", ReplaceInvalidUtf8(text), ' ');
  }

  std::string_view Sign(const Directive& directive, bool negative) {
    return negative ? "-" : directive.plus ? "+" : directive.space ? " " : "";
  }

  void EmitInteger(const Directive& directive, const Value& value) {
    RequireDefined(value);
    const bool decimal = std::string_view("diu").find(directive.conversion) != std::string::npos;
    if (!value.IsNumber() || (!decimal && !value.IsInteger())) {
      Fail("%{} format: a number is required, not {}", directive.conversion, TypeName(value));
    }
    int64_t number = value.integer();
    if (value.Is(Kind::kFloat)) {
      if (!(std::abs(value.number()) < 9e18)) Fail("cannot convert float to a 64-bit integer");
      number = static_cast<int64_t>(value.number());
    }
    const uint64_t magnitude =
        number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
    std::string digits;
    std::string prefix(Sign(directive, number < 0));
    switch (directive.conversion) {
      case 'x':
        digits = fmt::format("{:x}", magnitude);
        break;
      case 'X':
        digits = fmt::format("{:X}", magnitude);
        break;
      case 'o':
        digits = fmt::format("{:o}", magnitude);
        break;
      default:
        digits = fmt::format("{}", magnitude);
    }
    if (directive.alternate && !decimal) prefix += fmt::format("0{}", directive.conversion);
    if (directive.precision > kMaxPrecision) Fail("precision too big");
    if (static_cast<int64_t>(digits.size()) < directive.precision) {
      digits.insert(0, static_cast<size_t>(directive.precision) - digits.size(), '0');
    }
    Pad(directive, prefix, digits, directive.zero ? '0' : ' ');
  }

  void EmitFloat(const Directive& directive, const Value& value) {
    RequireDefined(value);
    if (!value.IsNumber()) Fail("must be real number, not {}", TypeName(value));
    if (directive.precision > kMaxPrecision) Fail("precision too big");
    const double magnitude = std::abs(value.number());
    const int precision = directive.precision < 0 ? 6 : static_cast<int>(directive.precision);
    std::string digits;
    switch (directive.conversion) {
      case 'e':
        digits = fmt::format("{:.{}e}", magnitude, precision);
        break;
      case 'E':
        digits = fmt::format("{:.{}E}", magnitude, precision);
        break;
      case 'g':
        digits = fmt::format("{:.{}g}", magnitude, std::max(precision, 1));
        break;
      case 'G':
        digits = fmt::format("{:.{}G}", magnitude, std::max(precision, 1));
        break;
      default:
        digits = fmt::format("{:.{}f}", magnitude, precision);
    }
    Pad(directive, Sign(directive, std::signbit(value.number())), digits,
        directive.zero ? '0' : ' ');
  }

  void Pad(const Directive& directive, std::string_view sign, std::string_view text, char fill) {
    const auto length = static_cast<int64_t>(sign.size() + CountCodePoints(text));
    const auto missing = static_cast<size_t>(std::max<int64_t>(directive.width - length, 0));
    out_.runtime().CheckRoom(out_.text().size() + missing);
    const std::string padding(missing, directive.left ? ' ' : fill);
    if (!directive.left && fill == ' ') out_.Append(padding);
    out_.Append(sign);
    if (!directive.left && fill != ' ') out_.Append(padding);
    out_.Append(text);
    if (directive.left) out_.Append(padding);
  }

  TextBuilder out_;
  const std::string_view format_;
  const bool markup_;  // then what is inserted is escaped
  const Value& arguments_;
  std::vector<Value> values_;
  size_t pos_ = 0;
  size_t next_ = 0;
  bool used_mapping_ = false;
};

// The value of the field `name`: empty for the next positional one.
const Value& Field(const Arguments& arguments, std::string_view name, size_t* next) {
  const bool number = name.find_first_not_of("0123456789") == std::string_view::npos;
  if (number) {
    const size_t index =
        name.empty() ? (*next)++ : static_cast<size_t>(ParseInteger(name, 10).value_or(0));
    if (index >= arguments.positional.size()) {
      Fail("Replacement index {} out of range for positional args tuple", index);
    }
    return arguments.positional[index];
  }
  for (const auto& [key, value] : arguments.named) {
    if (key == name) return value;
  }
  Fail(
      "format field '{}' is not an argument, and attributes and format specifications are not "
      "supported",
      name.substr(0, 60));
}

}  // namespace

Value PercentFormat(Runtime& runtime, const Value& format, const Value& arguments) {
  return PercentFormatter(runtime, format, arguments).Run();
}

Value BraceFormat(Runtime& runtime, const Value& held, const Arguments& arguments) {
  const std::string_view format = held.text();
  TextBuilder out(runtime);
  size_t next = 0;
  for (size_t pos = 0; pos < format.size();) {
    const size_t brace = std::min(format.find_first_of("{}", pos), format.size());
    out.Append(format.substr(pos, brace - pos));
    if (brace == format.size()) break;
    if (brace + 1 < format.size() && format[brace + 1] == format[brace]) {
      out.Append(format[brace]);
      pos = brace + 2;
      continue;
    }
    if (format[brace] == '}') Fail("Single '}}' encountered in format string");
    const size_t close = format.find('}', brace);
    if (close == std::string_view::npos) Fail("Single '{{' encountered in format string");
    runtime.Step();
    const Value& field = Field(arguments, format.substr(brace + 1, close - brace - 1), &next);
    if (held.IsMarkup()) {
      out.Append(EscapeHtml(runtime, Str(runtime, field)).text());
    } else {
      AppendStr(out, field);
    }
    pos = close + 1;
  }
  return out.Finish(held.IsMarkup());
}

}  // namespace ringlet::jinja
