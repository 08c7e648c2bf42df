#include <algorithm>

#include <fmt/format.h>

#include "io/regex.h"

namespace ringlet {
namespace {

// Oniguruma's \s is the property White_Space and its \w is the union below; PCRE2's own \s adds
// U+180E and its \w lacks the marks.
constexpr std::string_view kSpace = "\\p{White_Space}";
constexpr std::string_view kNotSpace = "\\P{White_Space}";
constexpr std::string_view kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  Result<std::string> Run() {
    while (at_ < pattern_.size()) {
      RINGLET_RETURN_IF_ERROR(Step());
    }
    return std::move(out_);
  }

 private:
  std::string_view Rest() const { return pattern_.substr(at_); }

  Status Unsupported(std::string_view construct) const {
    return Status(StatusCode::kUnsupported,
                  fmt::format("found {} at byte {}, expected a construct that PCRE2 and Oniguruma "
                              "read alike",
                              construct, at_));
  }

  void Copy(size_t bytes) {
    out_.append(pattern_.substr(at_, bytes));
    at_ += bytes;
  }

  void Replace(size_t bytes, std::string_view text) {
    out_.append(text);
    at_ += bytes;
  }

  Status Step() {
    const char c = pattern_[at_];
    if (c == '\\') return Escape();
    if (in_class_) return InClass(c);
    if (c == '[') {
      EnterClass();
      return Status::Ok();
    }
    if (Rest().starts_with("(?")) return Group();
    for (const std::string_view construct : {"(*", "{,", "}+", "}?"}) {
      if (Rest().starts_with(construct)) return Unsupported(construct);
    }
    Copy(1);
    return Status::Ok();
  }

  // A ] directly after [ or [^ is a literal in both dialects.
  void EnterClass() {
    in_class_ = true;
    Copy(1);
    if (Rest().starts_with("^")) Copy(1);
    if (Rest().starts_with("]")) Copy(1);
  }

  Status InClass(char c) {
    if (c == '[') return Unsupported("a class in a class");
    if (Rest().starts_with("&&")) return Unsupported("&& in a class");
    if (c == ']') in_class_ = false;
    Copy(1);
    return Status::Ok();
  }

  Status Escape() {
    if (at_ + 1 >= pattern_.size()) {
      Copy(1);  // PCRE2 reports it
      return Status::Ok();
    }
    switch (const char c = pattern_[at_ + 1]) {
      case 's':
        Replace(2, kSpace);
        break;
      case 'S':
        Replace(2, kNotSpace);
        break;
      case 'w':
        Replace(2, in_class_ ? std::string(kWord) : fmt::format("[{}]", kWord));
        break;
      case 'W':
        if (in_class_) return Unsupported("\\W in a class");
        Replace(2, fmt::format("[^{}]", kWord));
        break;
      case 'u':
        return HexEscape();
      case 'p':
      case 'P':
      case 'x':
        Copy(2);
        if (Rest().starts_with("{")) Copy(std::min(Rest().find('}'), Rest().size() - 1) + 1);
        break;
      case 'b':
      case 'B':
      case 'h':
      case 'H':
      case 'v':
      case 'V':
      case 'N':
      case 'O':
      case 'R':
      case 'X':
      case 'K':
      case 'Q':
      case 'E':
      case 'y':
      case 'Y':
      case 'M':
      case 'C':
        return Unsupported(std::string{'\\', c});
      default:
        Copy(2);
    }
    return Status::Ok();
  }

  // \uHHHH
  Status HexEscape() {
    const std::string_view digits = pattern_.substr(at_ + 2).substr(0, 4);
    if (digits.size() != 4 ||
        digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      return Unsupported("\\u without four hexadecimal digits");
    }
    Replace(6, fmt::format("\\x{{{}}}", digits));
    return Status::Ok();
  }

  // (?i:...) and the other groups mean the same; (?m) is "dot matches newline" to Oniguruma and
  // "anchors match at lines" to PCRE2, and an option without its own group reaches further there.
  Status Group() {
    const size_t flags_end = Rest().find_first_not_of("imsx-", 2);
    const bool has_flags = flags_end != 2 && flags_end != std::string_view::npos &&
                           (Rest()[flags_end] == ':' || Rest()[flags_end] == ')');
    if (!has_flags) {
      Copy(2);
      return Status::Ok();
    }
    const std::string_view flags = Rest().substr(2, flags_end - 2);
    if (flags.find_first_of("ms") != std::string_view::npos) {
      return Unsupported(fmt::format("(?{}", flags));
    }
    if (Rest()[flags_end] == ')' && at_ != 0) {
      return Unsupported(fmt::format("(?{}) after the start", flags));
    }
    Copy(flags_end + 1);
    return Status::Ok();
  }

  std::string_view pattern_;
  size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

}  // namespace

Result<std::string> TranslateOniguruma(std::string_view pattern) {
  return Translator(pattern).Run();
}

}  // namespace ringlet
