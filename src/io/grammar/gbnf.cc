// The syntax, with white space and comments (# to the end of the line) anywhere:
//
//   grammar  = { name "::=" choice }
//   choice   = sequence { "|" sequence }
//   sequence = { item [ "*" | "+" | "?" | "{m}" | "{m,}" | "{m,n}" ] }
//   item     = name | "text" | [class] | [^class] | "." | "(" choice ")"
//
// A rule ends where the next name before "::=" begins, or with the text.
#include "io/grammar/gbnf.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "io/grammar/limits.h"
#include "io/utf8.h"

namespace ringlet::grammar {
namespace {

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class GbnfParser {
 public:
  GbnfParser(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  Result<Automaton> Run() {
    if (text_.size() > kMaxTextBytes) {
      return Status(StatusCode::kResource,
                    fmt::format("{}: found {} bytes, expected a grammar of at most {}", source_,
                                text_.size(), kMaxTextBytes));
    }
    if (const size_t valid = ValidUtf8Prefix(text_); valid != text_.size()) {
      return BadInput(source_, "", fmt::format("bytes that are not UTF-8 at byte {}", valid),
                      "UTF-8");
    }
    SkipSpace();
    while (at_ < text_.size()) RINGLET_RETURN_IF_ERROR(ParseRule());
    RINGLET_RETURN_IF_ERROR(CheckRules());
    return builder_.Finish(rules_.at("root").body, source_);
  }

 private:
  struct Rule {
    Fragment body;
    bool defined = false;
    size_t first_use = 0;  // a byte of the text
  };

  // `found` empty: what stands at the current byte.
  Status Bad(std::string_view expected, std::string_view found = {}) const {
    return BadAt(at_, expected, found);
  }
  Status BadAt(size_t at, std::string_view expected, std::string_view found) const {
    const auto line = std::count(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(at), '\n');
    const std::string place = rule_.empty() ? fmt::format("line {}", line + 1)
                                            : fmt::format("rule {}: line {}", rule_, line + 1);
    const std::string here =
        at < text_.size() ? Quote(text_.substr(at, 20)) : std::string("the end of the text");
    return BadInput(source_, place, found.empty() ? here : found, expected);
  }

  bool At(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool Take(char c) {
    if (!At(c)) return false;
    ++at_;
    return true;
  }

  void SkipSpace() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view TakeName() {
    const size_t first = at_;
    while (at_ < text_.size() && IsNameChar(text_[at_])) ++at_;
    return text_.substr(first, at_ - first);
  }

  // Whether a name and "::=" come next, which is where the rule before ends.
  bool AtRule() {
    const size_t before = at_;
    const bool named = !TakeName().empty();
    SkipSpace();
    const bool found = named && text_.substr(at_).starts_with("::=");
    at_ = before;
    return found;
  }

  Status ParseRule() {
    rule_.clear();
    if (!AtRule()) return Bad("a rule: name ::= ...");
    const size_t first = at_;
    const std::string name(TakeName());
    SkipSpace();
    at_ += 3;
    SkipSpace();
    RINGLET_ASSIGN_OR_RETURN(Rule * rule, FindRule(name, first));
    rule_ = Quote(name);
    if (rule->defined) return BadAt(first, "each rule once", "a second definition");
    rule->defined = true;
    RINGLET_ASSIGN_OR_RETURN(const Fragment body, ParseChoice());
    if (at_ < text_.size() && !AtRule()) return Bad("an item, '|' or the next rule");
    builder_.AddEpsilon(rule->body.start, body.start);
    builder_.AddEpsilon(body.end, rule->body.end);
    return Status::Ok();
  }

  Result<Rule*> FindRule(const std::string& name, size_t at) {
    const auto [known, is_new] = rules_.try_emplace(name);
    if (is_new) {
      if (rules_.size() > kMaxRules) {
        return Status(
            StatusCode::kResource,
            fmt::format("{}: found more than {} rules, expected fewer", source_, kMaxRules));
      }
      known->second.body = builder_.NewFragment();
      known->second.first_use = at;
      builder_.NameRule(known->second.body, "rule " + Quote(name));
    }
    return &known->second;
  }

  Status CheckRules() {
    rule_.clear();
    for (const auto& [name, rule] : rules_) {
      if (!rule.defined) {
        return BadAt(rule.first_use, "a rule of this name",
                     fmt::format("{}, which is not defined", Quote(name)));
      }
    }
    if (!rules_.contains("root")) {
      return BadInput(source_, "", "no rule \"root\"", "one: the text begins with it");
    }
    return Status::Ok();
  }

  Result<Fragment> ParseChoice() {
    const Fragment out = builder_.NewFragment();
    do {
      SkipSpace();
      RINGLET_ASSIGN_OR_RETURN(const Fragment sequence, ParseSequence());
      builder_.AddEpsilon(out.start, sequence.start);
      builder_.AddEpsilon(sequence.end, out.end);
    } while (Take('|'));
    return out;
  }

  Result<Fragment> ParseSequence() {
    const StateId start = builder_.NewState();
    Fragment out{start, start};
    while (at_ < text_.size() && !At('|') && !At(')') && !AtRule()) {
      RINGLET_ASSIGN_OR_RETURN(Fragment item, ParseItem());
      SkipSpace();
      while (At('*') || At('+') || At('?') || At('{')) {
        RINGLET_ASSIGN_OR_RETURN(item, ParseQuantifier(item));
        SkipSpace();
      }
      out = builder_.Concat(out, item);
    }
    // The start is not the end, so that loops around the sequence cannot enter it in the middle.
    const StateId end = builder_.NewState();
    builder_.AddEpsilon(out.end, end);
    return Fragment{start, end};
  }

  Result<Fragment> ParseItem() {
    if (At('"')) return ParseText();
    if (At('[')) return ParseClass();
    if (Take('.')) return builder_.Characters(CodePointSet::All());
    if (Take('(')) return ParseGroup();
    const size_t first = at_;
    const std::string name(TakeName());
    if (name.empty()) return Bad("an item");
    RINGLET_ASSIGN_OR_RETURN(const Rule* rule, FindRule(name, first));
    const Fragment out = builder_.NewFragment();
    builder_.AddCall(out.start, rule->body, out.end);
    return out;
  }

  Result<Fragment> ParseGroup() {
    if (++nesting_ > kMaxNesting) {
      return Status(StatusCode::kResource,
                    fmt::format("{}: rule {}: found groups nested deeper than {}, expected fewer",
                                source_, rule_, kMaxNesting));
    }
    RINGLET_ASSIGN_OR_RETURN(const Fragment body, ParseChoice());
    if (!Take(')')) return Bad("')'");
    --nesting_;
    return body;
  }

  Result<Fragment> ParseQuantifier(Fragment item) {
    if (Take('*')) return builder_.Star(item);
    if (Take('+')) return builder_.Plus(item);
    if (Take('?')) return builder_.Optional(item);
    ++at_;
    SkipSpace();
    RINGLET_ASSIGN_OR_RETURN(const uint64_t min, ParseCount());
    uint64_t max = min;
    SkipSpace();
    if (Take(',')) {
      SkipSpace();
      max = AutomatonBuilder::kUnbounded;
      if (!At('}')) {
        RINGLET_ASSIGN_OR_RETURN(max, ParseCount());
      }
      SkipSpace();
    }
    if (!At('}')) return Bad("'}'");
    if (max < min) return Bad("a maximum above the minimum", fmt::format("{{{},{}}}", min, max));
    ++at_;
    return builder_.Repeat(item, min, max);
  }

  Result<uint64_t> ParseCount() {
    uint64_t count = 0;
    const size_t first = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      count = count * 10 + static_cast<uint64_t>(text_[at_] - '0');
      if (count > kMaxRepetition) {
        return Status(
            StatusCode::kResource,
            fmt::format("{}: rule {}: found a repetition above {}, expected a smaller one", source_,
                        rule_, kMaxRepetition));
      }
    }
    if (at_ == first) return Bad("a number");
    return count;
  }

  Result<Fragment> ParseText() {
    ++at_;
    std::string bytes;
    while (!At('"')) {
      RINGLET_ASSIGN_OR_RETURN(const char32_t c, ParseChar("the closing '\"'"));
      AppendUtf8(c, bytes);
    }
    ++at_;
    return builder_.Text(bytes);
  }

  Result<Fragment> ParseClass() {
    ++at_;
    const bool negated = Take('^');
    std::vector<std::pair<char32_t, char32_t>> ranges;
    while (!At(']')) {
      RINGLET_ASSIGN_OR_RETURN(const char32_t first, ParseChar("the closing ']'"));
      char32_t last = first;
      if (At('-') && text_.substr(at_, 2) != "-]") {
        ++at_;
        RINGLET_ASSIGN_OR_RETURN(last, ParseChar("the end of a range"));
        if (last < first) return Bad("ranges that ascend", "a range that descends");
      }
      ranges.emplace_back(first, last);
    }
    ++at_;
    const CodePointSet set = CodePointSet::FromRanges(ranges);
    return builder_.Characters(negated ? set.Complement() : set);
  }

  Result<char32_t> ParseChar(std::string_view closing) {
    if (at_ >= text_.size() || At('\n')) return Bad(closing);
    if (!Take('\\')) {
      const std::string_view rest = text_.substr(at_);
      at_ += Utf8CharLength(rest);
      return DecodeUtf8Char(rest.substr(0, Utf8CharLength(rest)));
    }
    if (at_ >= text_.size()) return Bad("an escape");
    switch (const char c = text_[at_++]) {
      case 'n':
        return U'\n';
      case 'r':
        return U'\r';
      case 't':
        return U'\t';
      case 'x':
        return ParseHex(2);
      case 'u':
        return ParseHex(4);
      case 'U':
        return ParseHex(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<char32_t>(c);
      default:
        return BadAt(at_ - 1, R"(an escape: \n \r \t \\ \" \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH)",
                     {});
    }
  }

  Result<char32_t> ParseHex(int digits) {
    uint64_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const int digit = at_ < text_.size() ? HexValue(text_[at_]) : -1;
      if (digit < 0) return Bad(fmt::format("{} hexadecimal digits", digits));
      value = value * 16 + static_cast<uint64_t>(digit);
    }
    if (value > kLastCodePoint || (value >= 0xD800 && value <= 0xDFFF)) {
      return Bad("a character", fmt::format("U+{:04X}", value));
    }
    return static_cast<char32_t>(value);
  }

  const std::string_view text_;
  const std::string_view source_;
  size_t at_ = 0;
  uint32_t nesting_ = 0;
  std::string rule_;  // that is being parsed, quoted
  std::map<std::string, Rule> rules_;
  AutomatonBuilder builder_;
};

}  // namespace

Result<Automaton> CompileGbnf(std::string_view text, std::string_view source) {
  return GbnfParser(text, source).Run();
}

}  // namespace ringlet::grammar
