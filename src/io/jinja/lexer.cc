#include "io/jinja/lexer.h"

#include <algorithm>
#include <array>

#include "io/jinja/error.h"
#include "io/jinja/operators.h"
#include "io/jinja/unicode.h"
#include "io/utf8.h"

namespace ringlet::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }

bool IsNameByte(char c) {
  return c == '_' || IsAsciiDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string NormalizeNewlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> Run() {
    try {
      while (pos_ < source_.size()) Data();
    } catch (TemplateError& error) {
      if (error.line == 0) error.line = line_;
      throw;
    }
    Emit(TokenKind::kEnd);
    return std::move(tokens_);
  }

 private:
  // A tag that opens: its first character and its white-space sign.
  struct Opening {
    char kind;  // '%', '{', '#', or 'r' for {% raw %}
    char sign;  // '-', '+' or 0
    size_t end;
  };

  void Data();
  void Comment();
  void Raw();
  void Code(bool block);
  Opening ReadOpening(size_t at) const;
  size_t RawTagEnd(size_t after_sign) const;
  size_t FindOpening(size_t from) const;
  void EmitText(std::string_view text, char sign, bool strip_line);

  bool CodeEnd(bool block);
  void CodeToken();
  void Number();
  void Quoted();
  void OperatorToken();

  void Emit(TokenKind kind, std::string text = {}) {
    tokens_.push_back({kind, line_, std::move(text)});
  }
  bool At(std::string_view text) const { return source_.substr(pos_).starts_with(text); }
  size_t SkipSpace(size_t at) const {
    return source_.size() - Strip(source_.substr(at), Side::kLeft).size();
  }
  // Moves to `end`, counting lines; what was passed decides whether a line begins there.
  void Advance(size_t end) {
    const std::string_view passed = source_.substr(pos_, end - pos_);
    line_ += static_cast<uint32_t>(std::count(passed.begin(), passed.end(), '\n'));
    if (!passed.empty()) line_starting_ = passed.back() == '\n';
    pos_ = end;
  }
  // After a closing tag: "-" eats all space, trim_blocks one newline.
  size_t AfterClose(size_t end, char sign, bool trim) const {
    if (sign == '-') return SkipSpace(end);
    if (sign != '+' && trim && end < source_.size() && source_[end] == '\n') return end + 1;
    return end;
  }

  const std::string_view source_;
  size_t pos_ = 0;
  uint32_t line_ = 1;
  bool line_starting_ = true;
  std::vector<char> brackets_;
  std::vector<Token> tokens_;
};

size_t Lexer::FindOpening(size_t from) const {
  for (size_t at = source_.find('{', from); at != kNone; at = source_.find('{', at + 1)) {
    if (at + 1 >= source_.size()) return kNone;
    const char next = source_[at + 1];
    if (next == '%' || next == '{' || next == '#') return at;
  }
  return kNone;
}

// Where "raw %}" ends, from after the opening's sign; kNone when this is not a raw tag. Jinja does
// not trim the newline after it.
size_t Lexer::RawTagEnd(size_t after_sign) const {
  size_t at = SkipSpace(after_sign);
  if (!source_.substr(at).starts_with("raw")) return kNone;
  at = SkipSpace(at + 3);
  if (source_.substr(at).starts_with("-%}")) return SkipSpace(at + 3);
  return source_.substr(at).starts_with("%}") ? at + 2 : kNone;
}

Lexer::Opening Lexer::ReadOpening(size_t at) const {
  Opening opening{source_[at + 1], 0, at + 2};
  if (opening.end < source_.size() &&
      (source_[opening.end] == '-' || source_[opening.end] == '+')) {
    opening.sign = source_[opening.end++];
  }
  if (opening.kind == '%') {
    const size_t raw_end = RawTagEnd(opening.end);
    if (raw_end != kNone) return {'r', opening.sign, raw_end};
  }
  return opening;
}

// Text before a tag. `strip_line` is lstrip_blocks: space between the line's start and the tag
// goes.
void Lexer::EmitText(std::string_view text, char sign, bool strip_line) {
  if (sign == '-') {
    text = Strip(text, Side::kRight);
  } else if (sign != '+' && strip_line) {
    const size_t line_start = text.rfind('\n') + 1;  // 0 when there is none
    const bool begins_line = line_start > 0 || line_starting_;
    if (begins_line && Strip(text.substr(line_start), Side::kLeft).empty()) {
      text = text.substr(0, line_start);
    }
  }
  if (!text.empty()) Emit(TokenKind::kText, std::string(text));
}

void Lexer::Data() {
  const size_t at = FindOpening(pos_);
  if (at == kNone) {
    Emit(TokenKind::kText, std::string(source_.substr(pos_)));
    pos_ = source_.size();
    return;
  }
  const Opening opening = ReadOpening(at);
  EmitText(source_.substr(pos_, at - pos_), opening.sign, opening.kind != '{');
  Advance(opening.end);
  switch (opening.kind) {
    case '#':
      return Comment();
    case 'r':
      return Raw();
    case '{':
      Emit(TokenKind::kOutputBegin);
      return Code(false);
    default:
      Emit(TokenKind::kBlockBegin);
      return Code(true);
  }
}

void Lexer::Comment() {
  const size_t at = source_.find("#}", pos_);
  if (at == kNone) FailAt(line_, "missing end of comment tag");
  const char before = at > pos_ ? source_[at - 1] : 0;
  const char sign = before == '-' || before == '+' ? before : 0;
  Advance(AfterClose(at + 2, sign, true));
}

void Lexer::Raw() {
  for (size_t at = source_.find("{%", pos_); at != kNone; at = source_.find("{%", at + 1)) {
    size_t end = at + 2;
    char sign = 0;
    if (end < source_.size() && (source_[end] == '-' || source_[end] == '+')) sign = source_[end++];
    end = SkipSpace(end);
    if (!source_.substr(end).starts_with("endraw")) continue;
    end = SkipSpace(end + 6);
    char close = 0;
    if (end < source_.size() && (source_[end] == '-' || source_[end] == '+'))
      close = source_[end++];
    if (!source_.substr(end).starts_with("%}")) continue;
    EmitText(source_.substr(pos_, at - pos_), sign, true);
    return Advance(AfterClose(end + 2, close, true));
  }
  FailAt(line_, "missing end of raw directive");
}

void Lexer::Code(bool block) {
  brackets_.clear();
  while (true) {
    Advance(SkipSpace(pos_));
    if (pos_ >= source_.size()) {
      FailAt(line_, "found the end of the template, expected '{}'", block ? "%}" : "}}");
    }
    if (brackets_.empty() && CodeEnd(block)) return;
    CodeToken();
  }
}

bool Lexer::CodeEnd(bool block) {
  const std::string_view close = block ? "%}" : "}}";
  char sign = 0;
  size_t at = pos_;
  if (source_[at] == '-' || (block && source_[at] == '+')) sign = source_[at++];
  if (!source_.substr(at).starts_with(close)) return false;
  Emit(block ? TokenKind::kBlockEnd : TokenKind::kOutputEnd);
  Advance(AfterClose(at + 2, sign, block));
  return true;
}

void Lexer::CodeToken() {
  const char c = source_[pos_];
  if (IsAsciiDigit(c)) return Number();
  if (IsNameByte(c)) {
    size_t end = pos_;
    while (end < source_.size() && IsNameByte(source_[end])) ++end;
    Emit(TokenKind::kName, std::string(source_.substr(pos_, end - pos_)));
    return Advance(end);
  }
  if (c == '\'' || c == '"') return Quoted();
  OperatorToken();
}

void Lexer::Number() {
  const auto digits = [&](size_t at) {
    while (at < source_.size() &&
           (IsAsciiDigit(source_[at]) ||
            (source_[at] == '_' && at + 1 < source_.size() && IsAsciiDigit(source_[at + 1])))) {
      ++at;
    }
    return at;
  };
  const auto digit_at = [&](size_t at) { return at < source_.size() && IsAsciiDigit(source_[at]); };
  size_t end = digits(pos_);
  bool is_float = false;
  const char radix = end == pos_ + 1 && source_[pos_] == '0' && end < source_.size()
                         ? static_cast<char>(source_[end] | 0x20)
                         : 0;
  if (radix == 'x' || radix == 'o' || radix == 'b') {
    ++end;
    while (end < source_.size() && IsNameByte(source_[end])) ++end;
  } else if (pos_ == 0 || source_[pos_ - 1] != '.') {  // after a dot it is an index
    if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
      end = digits(end + 1);
      is_float = true;
    }
    if (end < source_.size() && (source_[end] | 0x20) == 'e') {
      const bool sign =
          end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
      const size_t exponent = end + (sign ? 2 : 1);
      if (digit_at(exponent)) {
        end = digits(exponent);
        is_float = true;
      }
    }
  }
  const std::string_view text = source_.substr(pos_, end - pos_);
  Token token{is_float ? TokenKind::kFloat : TokenKind::kInteger, line_, std::string(text)};
  if (is_float) {
    token.number = ParseFloat(text).value_or(0);
  } else {
    const std::optional<int64_t> value = ParseInteger(text, radix == 0 ? 10 : 0);
    if (!value) FailAt(line_, "found the number '{}', expected an integer", text.substr(0, 40));
    token.integer = *value;
  }
  tokens_.push_back(std::move(token));
  Advance(end);
}

// Reads `count` hexadecimal digits, or as many octal ones as there are up to `count`.
char32_t ReadCode(std::string_view text, size_t* pos, size_t count, int base) {
  char32_t code = 0;
  for (size_t i = 0; i < count; ++i) {
    const char c = *pos < text.size() ? text[*pos] : ' ';
    const int digit = IsAsciiDigit(c)                          ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                               : 99;
    if (digit >= base) {
      if (base == 8 && i > 0) break;
      Fail("found a bad escape in a string, expected {} hexadecimal digits", count);
    }
    code = code * static_cast<char32_t>(base) + static_cast<char32_t>(digit);
    ++*pos;
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    Fail("found the escape of code point {:#x} in a string, expected a Unicode character",
         static_cast<uint32_t>(code));
  }
  return code;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t pos = 0; pos < text.size();) {
    const char c = text[pos++];
    if (c != '\\' || pos >= text.size()) {
      out += c;
      continue;
    }
    const char escape = text[pos++];
    switch (escape) {
      case '\n':
        break;  // a continued line
      case '\\':
      case '\'':
      case '"':
        out += escape;
        break;
      case 'a':
        out += '\a';
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'v':
        out += '\v';
        break;
      case 'x':
        AppendUtf8(ReadCode(text, &pos, 2, 16), out);
        break;
      case 'u':
        AppendUtf8(ReadCode(text, &pos, 4, 16), out);
        break;
      case 'U':
        AppendUtf8(ReadCode(text, &pos, 8, 16), out);
        break;
      case 'N':
        Fail("found \\N in a string, expected another escape (names are not supported)");
      default:
        if (escape >= '0' && escape <= '7') {
          --pos;
          AppendUtf8(ReadCode(text, &pos, 3, 8), out);
        } else {
          out += '\\';
          out += escape;
        }
    }
  }
  return out;
}

void Lexer::Quoted() {
  const char quote = source_[pos_];
  size_t end = pos_ + 1;
  while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
  if (end >= source_.size()) FailAt(line_, "found a string without its closing {}", quote);
  Emit(TokenKind::kString, Unescape(source_.substr(pos_ + 1, end - pos_ - 1)));
  Advance(end + 1);
}

void Lexer::OperatorToken() {
  static constexpr std::array<std::string_view, 26> kOperators = {
      "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
      "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
  const auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                  [&](std::string_view text) { return At(text); });
  if (found == kOperators.end()) {
    size_t end = pos_;
    NextCodePoint(source_, &end);
    FailAt(line_, "unexpected character '{}'", source_.substr(pos_, end - pos_));
  }
  const char c = source_[pos_];
  if (c == '(' || c == '[' || c == '{') {
    brackets_.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
  } else if (c == ')' || c == ']' || c == '}') {
    if (brackets_.empty()) FailAt(line_, "unexpected '{}'", c);
    if (brackets_.back() != c) FailAt(line_, "unexpected '{}', expected '{}'", c, brackets_.back());
    brackets_.pop_back();
  }
  Emit(TokenKind::kOperator, std::string(*found));
  Advance(pos_ + found->size());
}

}  // namespace

std::vector<Token> Tokenize(std::string_view source) {
  const std::string text = NormalizeNewlines(source);
  return Lexer(text).Run();
}

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "text";
    case TokenKind::kOutputBegin:
      return "'{{'";
    case TokenKind::kOutputEnd:
      return "'}}'";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kEnd:
      return "the end of the template";
    default:
      return fmt::format("'{}'", token.text.substr(0, 60));
  }
}

}  // namespace ringlet::jinja
