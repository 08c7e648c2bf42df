#include "io/grammar/pattern.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "io/grammar/limits.h"
#include "io/utf8.h"

namespace ringlet::grammar {
namespace {

CodePointSet DigitSet() { return CodePointSet::Of('0', '9'); }

CodePointSet WordSet() {
  return CodePointSet::FromRanges({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
}

// WhiteSpace and LineTerminator of ECMA-262.
CodePointSet SpaceSet() {
  return CodePointSet::FromRanges({{0x09, 0x0D},
                                   {0x20, 0x20},
                                   {0xA0, 0xA0},
                                   {0x1680, 0x1680},
                                   {0x2000, 0x200A},
                                   {0x2028, 0x2029},
                                   {0x202F, 0x202F},
                                   {0x205F, 0x205F},
                                   {0x3000, 0x3000},
                                   {0xFEFF, 0xFEFF}});
}

CodePointSet DotSet() {
  return CodePointSet::FromRanges({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}).Complement();
}

class PatternParser {
 public:
  PatternParser(std::string_view pattern, const std::string& where, AutomatonBuilder& builder,
                JsonText& json)
      : pattern_(pattern), where_(where), builder_(builder), json_(json) {}

  Result<Fragment> Run() {
    if (ValidUtf8Prefix(pattern_) != pattern_.size()) return Bad("UTF-8");
    const Fragment out = builder_.NewFragment();
    do {
      const bool at_start = Take('^');
      RINGLET_ASSIGN_OR_RETURN(const Fragment body, ParseSequence());
      const bool at_end = Take('$');
      if (at_end && !AtEnd() && !At('|')) return Unsupported("'$' inside an alternative");
      builder_.AddEpsilon(Margin(out.start, !at_start), body.start);
      builder_.AddEpsilon(Margin(body.end, !at_end), out.end);
    } while (Take('|'));
    if (!AtEnd()) return Bad("an item or '|'");
    return out;
  }

 private:
  Status Bad(std::string_view expected) const {
    return BadInput(where_, "", fmt::format("{} at byte {}", Quote(pattern_), at_), expected);
  }
  Status Unsupported(std::string_view what) const {
    return Status(StatusCode::kUnsupported,
                  fmt::format("{}: found {} at byte {} of {}, expected a pattern without it",
                              where_, what, at_, Quote(pattern_)));
  }
  bool AtEnd() const { return at_ >= pattern_.size(); }
  bool At(char c) const { return !AtEnd() && pattern_[at_] == c; }
  bool Take(char c) {
    if (!At(c)) return false;
    ++at_;
    return true;
  }
  char32_t TakeChar() {
    const std::string_view rest = pattern_.substr(at_);
    at_ += Utf8CharLength(rest);
    return DecodeUtf8Char(rest.substr(0, Utf8CharLength(rest)));
  }

  // Any characters beside an alternative that is not anchored.
  StateId Margin(StateId from, bool any) {
    if (!any) return from;
    const StateId loop = builder_.NewState();
    builder_.AddEpsilon(from, loop);
    json_.Characters(loop, CodePointSet::All(), loop);
    return loop;
  }

  Result<Fragment> ParseChoice() {
    const Fragment out = builder_.NewFragment();
    do {
      RINGLET_ASSIGN_OR_RETURN(const Fragment body, ParseSequence());
      builder_.AddEpsilon(out.start, body.start);
      builder_.AddEpsilon(body.end, out.end);
    } while (Take('|'));
    return out;
  }

  Result<Fragment> ParseSequence() {
    const StateId start = builder_.NewState();
    Fragment out{start, start};
    while (!AtEnd() && !At('|') && !At(')') && !At('$')) {
      RINGLET_ASSIGN_OR_RETURN(Fragment item, ParseItem());
      RINGLET_ASSIGN_OR_RETURN(item, ParseQuantifier(item));
      out = builder_.Concat(out, item);
    }
    if (At('$') && nesting_ > 0) return Unsupported("'$' inside a group");
    const StateId end = builder_.NewState();
    builder_.AddEpsilon(out.end, end);
    return Fragment{start, end};
  }

  Fragment Set(const CodePointSet& set) {
    const Fragment out = builder_.NewFragment();
    json_.Characters(out.start, set, out.end);
    return out;
  }

  Result<Fragment> ParseItem() {
    if (At('^')) return Unsupported("'^' inside an alternative");
    if (At('*') || At('+') || At('?') || At('{') || At('}') || At(']')) return Bad("an item");
    if (Take('(')) return ParseGroup();
    if (Take('[')) return ParseClass();
    if (Take('.')) return Set(DotSet());
    if (Take('\\')) {
      RINGLET_ASSIGN_OR_RETURN(const CodePointSet set, ParseEscape());
      return Set(set);
    }
    const char32_t c = TakeChar();
    return Set(CodePointSet::Of(c, c));
  }

  Result<Fragment> ParseGroup() {
    if (++nesting_ > kMaxNesting) {
      return Status(StatusCode::kResource,
                    fmt::format("{}: found groups nested deeper than {}, expected fewer", where_,
                                kMaxNesting));
    }
    if (Take('?')) {
      if (Take('<')) {
        if (At('=') || At('!')) return Unsupported("an assertion");
        while (!AtEnd() && !At('>')) ++at_;
        if (!Take('>')) return Bad("the '>' of a group's name");
      } else if (!Take(':')) {
        return Unsupported("an assertion");
      }
    }
    RINGLET_ASSIGN_OR_RETURN(const Fragment body, ParseChoice());
    if (!Take(')')) return Bad("')'");
    --nesting_;
    return body;
  }

  Result<Fragment> ParseQuantifier(Fragment item) {
    uint64_t min = 0, max = AutomatonBuilder::kUnbounded;
    if (Take('*')) {
      item = builder_.Star(item);
    } else if (Take('+')) {
      item = builder_.Plus(item);
    } else if (Take('?')) {
      item = builder_.Optional(item);
    } else if (Take('{')) {
      RINGLET_ASSIGN_OR_RETURN(min, ParseCount());
      if (!Take(',')) {
        max = min;
      } else if (!At('}')) {
        RINGLET_ASSIGN_OR_RETURN(max, ParseCount());
      }
      if (!Take('}')) return Bad("'}'");
      if (max < min) return Bad("a maximum above the minimum");
      item = builder_.Repeat(item, min, max);
    } else {
      return item;
    }
    Take('?');  // lazy: the same texts
    return item;
  }

  Result<uint64_t> ParseCount() {
    const size_t first = at_;
    uint64_t count = 0;
    for (; !AtEnd() && pattern_[at_] >= '0' && pattern_[at_] <= '9'; ++at_) {
      count = count * 10 + static_cast<uint64_t>(pattern_[at_] - '0');
      if (count > kMaxRepetition) {
        return Status(StatusCode::kResource,
                      fmt::format("{}: found a repetition above {}, expected a smaller one", where_,
                                  kMaxRepetition));
      }
    }
    if (at_ == first) return Bad("a number");
    return count;
  }

  Result<Fragment> ParseClass() {
    const bool negated = Take('^');
    CodePointSet set;
    std::vector<std::pair<char32_t, char32_t>> ranges;
    while (!At(']')) {
      if (AtEnd()) return Bad("']'");
      RINGLET_ASSIGN_OR_RETURN(const CodePointSet first, ParseMember());
      if (!At('-') || pattern_.substr(at_).starts_with("-]")) {
        ranges.insert(ranges.end(), first.ranges().begin(), first.ranges().end());
        continue;
      }
      ++at_;
      RINGLET_ASSIGN_OR_RETURN(const CodePointSet last, ParseMember());
      if (!IsOne(first) || !IsOne(last)) return Bad("a range between two characters");
      ranges.emplace_back(first.ranges()[0].first, last.ranges()[0].first);
      if (ranges.back().second < ranges.back().first) return Bad("ranges that ascend");
    }
    ++at_;
    set = CodePointSet::FromRanges(ranges);
    return Set(negated ? set.Complement() : set);
  }

  static bool IsOne(const CodePointSet& set) {
    return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].second;
  }

  Result<CodePointSet> ParseMember() {
    if (AtEnd()) return Bad("']'");
    if (Take('\\')) return ParseEscape();
    const char32_t c = TakeChar();
    return CodePointSet::Of(c, c);
  }

  Result<CodePointSet> ParseEscape() {
    if (AtEnd()) return Bad("an escape");
    const char32_t c = TakeChar();
    switch (c) {
      case 'd':
        return DigitSet();
      case 'D':
        return DigitSet().Complement();
      case 'w':
        return WordSet();
      case 'W':
        return WordSet().Complement();
      case 's':
        return SpaceSet();
      case 'S':
        return SpaceSet().Complement();
      case 't':
        return CodePointSet::Of('\t', '\t');
      case 'n':
        return CodePointSet::Of('\n', '\n');
      case 'r':
        return CodePointSet::Of('\r', '\r');
      case 'f':
        return CodePointSet::Of('\f', '\f');
      case 'v':
        return CodePointSet::Of('\v', '\v');
      case 'x':
        return ParseHex(2);
      case 'u':
        return ParseHex(4);
      case '0':
        if (!AtEnd() && pattern_[at_] >= '0' && pattern_[at_] <= '9') break;
        return CodePointSet::Of(0, 0);
      default:
        break;
    }
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter || c > 0x7E) return Unsupported("an escape that is not implemented");
    return CodePointSet::Of(c, c);
  }

  Result<CodePointSet> ParseHex(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = AtEnd() ? '\0' : pattern_[at_];
      const char32_t digit = c >= '0' && c <= '9'   ? static_cast<char32_t>(c - '0')
                             : c >= 'a' && c <= 'f' ? static_cast<char32_t>(c - 'a' + 10)
                             : c >= 'A' && c <= 'F' ? static_cast<char32_t>(c - 'A' + 10)
                                                    : 99;
      if (digit > 15) return Bad("hexadecimal digits");
      value = value * 16 + digit;
    }
    const CodePointSet set = CodePointSet::Of(value, value);
    if (set.empty()) return Unsupported("a surrogate");
    return set;
  }

  const std::string_view pattern_;
  const std::string& where_;
  AutomatonBuilder& builder_;
  JsonText& json_;
  size_t at_ = 0;
  uint32_t nesting_ = 0;
};

}  // namespace

Result<Fragment> CompilePattern(std::string_view pattern, const std::string& where,
                                AutomatonBuilder& builder, JsonText& json) {
  return PatternParser(pattern, where, builder, json).Run();
}

}  // namespace ringlet::grammar
