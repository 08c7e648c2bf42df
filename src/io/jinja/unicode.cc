#include "io/jinja/unicode.h"

#include <algorithm>

#include <utf8proc.h>

#include "io/utf8.h"

namespace ringlet::jinja {
namespace {

utf8proc_category_t Category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

// Simple case mapping, plus the one special case that European text needs.
void AppendUpper(char32_t c, std::string& out) {
  if (c == 0xDF) {
    out += "SS";
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))), out);
  }
}

void AppendTitle(char32_t c, std::string& out) {
  if (c == 0xDF) {
    out += "Ss";
  } else {
    AppendUtf8(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))), out);
  }
}

void AppendLower(char32_t c, std::string& out) {
  AppendUtf8(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))), out);
}

bool IsCased(char32_t c) {
  return IsUpperCase(c) || IsLowerCase(c) || Category(c) == UTF8PROC_CATEGORY_LT;
}

size_t PreviousStart(std::string_view text, size_t end) {
  size_t start = end - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
  return start;
}

template <typename Drop>
std::string_view StripIf(std::string_view text, Side side, Drop drop) {
  if (side != Side::kRight) {
    size_t pos = 0;
    while (pos < text.size()) {
      size_t next = pos;
      if (!drop(NextCodePoint(text, &next))) break;
      pos = next;
    }
    text.remove_prefix(pos);
  }
  if (side != Side::kLeft) {
    while (!text.empty()) {
      const size_t start = PreviousStart(text, text.size());
      size_t next = start;
      if (!drop(NextCodePoint(text, &next))) break;
      text = text.substr(0, start);
    }
  }
  return text;
}

// Up to here the library's search costs at most this many comparisons per byte.
constexpr size_t kShortNeedle = 4;

// Distance from `begin` to the first occurrence of the pattern.
template <typename Iterator>
size_t KnuthMorrisPratt(Iterator begin, Iterator end, Iterator pattern, Iterator pattern_end) {
  const auto length = static_cast<size_t>(pattern_end - pattern);
  const auto at = [&](size_t i) { return pattern[static_cast<ptrdiff_t>(i)]; };
  std::vector<size_t> border(length, 0);  // of the prefix that ends at i
  for (size_t i = 1, k = 0; i < length; ++i) {
    while (k > 0 && at(i) != at(k)) k = border[k - 1];
    if (at(i) == at(k)) ++k;
    border[i] = k;
  }
  size_t matched = 0;
  for (Iterator it = begin; it != end; ++it) {
    while (matched > 0 && *it != at(matched)) matched = border[matched - 1];
    if (*it == at(matched)) ++matched;
    if (matched == length) return static_cast<size_t>(it - begin) + 1 - length;
  }
  return std::string_view::npos;
}

}  // namespace

bool IsAscii(std::string_view text) {
  unsigned char bits = 0;
  for (const char c : text) bits |= static_cast<unsigned char>(c);
  return bits < 0x80;
}

size_t CountCodePoints(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

char32_t NextCodePoint(std::string_view text, size_t* pos) {
  const auto first = static_cast<unsigned char>(text[*pos]);
  if (first < 0x80) {
    ++*pos;
    return first;
  }
  const size_t length = Utf8CharLength(text.substr(*pos));
  if (length == 0) {
    ++*pos;
    return 0xFFFD;
  }
  const char32_t c = DecodeUtf8Char(text.substr(*pos, length));
  *pos += length;
  return c;
}

size_t ByteOffset(std::string_view text, size_t index) {
  size_t pos = 0;
  while (pos < text.size()) {
    if ((static_cast<unsigned char>(text[pos]) & 0xC0) != 0x80 && index-- == 0) return pos;
    ++pos;
  }
  return text.size();
}

std::vector<char32_t> Decode(std::string_view text) {
  std::vector<char32_t> out;
  out.reserve(CountCodePoints(text));
  for (size_t pos = 0; pos < text.size();) out.push_back(NextCodePoint(text, &pos));
  return out;
}

std::string Encode(const std::vector<char32_t>& code_points) {
  std::string out;
  out.reserve(code_points.size());
  for (const char32_t c : code_points) AppendUtf8(c, out);
  return out;
}

bool IsSpace(char32_t c) { return (c >= 0x1C && c <= 0x1F) || IsUnicodeSpace(c); }

bool IsAlpha(char32_t c) {
  const utf8proc_category_t category = Category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool IsDecimal(char32_t c) { return Category(c) == UTF8PROC_CATEGORY_ND; }

// Superscripts and circled digits have the Unicode property Numeric_Type=Digit, which utf8proc does
// not carry; the superscripts and subscripts are the ones met in text.
bool IsDigit(char32_t c) {
  return IsDecimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
         (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089);
}

bool IsNumeric(char32_t c) {
  const utf8proc_category_t category = Category(c);
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool IsPrintable(char32_t c) {
  if (c == ' ') return true;
  switch (Category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}

bool IsUpperCase(char32_t c) { return Category(c) == UTF8PROC_CATEGORY_LU; }
bool IsLowerCase(char32_t c) {
  return Category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA;
}

bool IsLineBreak(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

std::string ToUpper(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) AppendUpper(NextCodePoint(text, &pos), out);
  return out;
}

std::string ToLower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) AppendLower(NextCodePoint(text, &pos), out);
  return out;
}

std::string Capitalize(std::string_view text) {
  if (text.empty()) return {};
  std::string out;
  size_t pos = 0;
  AppendTitle(NextCodePoint(text, &pos), out);
  return out + ToLower(text.substr(pos));
}

std::string SwapCase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = NextCodePoint(text, &pos);
    IsUpperCase(c) ? AppendLower(c, out) : AppendUpper(c, out);
  }
  return out;
}

std::string TitleWords(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_word = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = NextCodePoint(text, &pos);
    in_word ? AppendLower(c, out) : AppendTitle(c, out);
    in_word = IsCased(c);
  }
  return out;
}

bool IsAllUpper(std::string_view text) {
  bool cased = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = NextCodePoint(text, &pos);
    if (IsCased(c) && !IsUpperCase(c)) return false;
    cased |= IsUpperCase(c);
  }
  return cased;
}

bool IsAllLower(std::string_view text) {
  bool cased = false;
  for (size_t pos = 0; pos < text.size();) {
    const char32_t c = NextCodePoint(text, &pos);
    if (IsCased(c) && !IsLowerCase(c)) return false;
    cased |= IsLowerCase(c);
  }
  return cased;
}

std::string_view Strip(std::string_view text, Side side) { return StripIf(text, side, IsSpace); }

std::string_view Strip(std::string_view text, Side side, std::string_view set) {
  std::vector<char32_t> members = Decode(set);
  std::sort(members.begin(), members.end());
  return StripIf(text, side,
                 [&](char32_t c) { return std::binary_search(members.begin(), members.end(), c); });
}

std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t start = 0;
  size_t pos = 0;
  while (pos < text.size()) {
    const size_t end = pos;
    const char32_t c = NextCodePoint(text, &pos);
    if (!IsLineBreak(c)) continue;
    if (c == '\r' && pos < text.size() && text[pos] == '\n') ++pos;
    lines.push_back(text.substr(start, (keep_ends ? pos : end) - start));
    start = pos;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

std::vector<std::string_view> SplitSpaces(std::string_view text, int64_t max_split,
                                          bool from_right) {
  std::vector<std::string_view> parts;
  const Side near = from_right ? Side::kRight : Side::kLeft;
  text = Strip(text, near);
  while (!text.empty()) {
    if (max_split >= 0 && static_cast<int64_t>(parts.size()) == max_split) {
      parts.push_back(Strip(text, from_right ? Side::kLeft : Side::kRight));
      break;
    }
    const std::string_view rest = StripIf(text, near, [](char32_t c) { return !IsSpace(c); });
    const size_t length = text.size() - rest.size();
    parts.push_back(from_right ? text.substr(rest.size()) : text.substr(0, length));
    text = Strip(rest, near);
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitAt(std::string_view text, std::string_view separator,
                                      int64_t max_split, bool from_right) {
  std::vector<std::string_view> parts;
  while (max_split < 0 || static_cast<int64_t>(parts.size()) < max_split) {
    const size_t at = from_right ? FindLast(text, separator) : Find(text, separator);
    if (at == std::string_view::npos) break;
    const std::string_view left = text.substr(0, at);
    const std::string_view right = text.substr(at + separator.size());
    parts.push_back(from_right ? right : left);
    text = from_right ? left : right;
  }
  parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

size_t Find(std::string_view text, std::string_view needle, size_t from) {
  if (needle.size() <= kShortNeedle) return text.find(needle, from);
  if (from > text.size()) return std::string_view::npos;
  const size_t at = KnuthMorrisPratt(text.begin() + static_cast<ptrdiff_t>(from), text.end(),
                                     needle.begin(), needle.end());
  return at == std::string_view::npos ? at : at + from;
}

size_t FindLast(std::string_view text, std::string_view needle) {
  if (needle.size() <= kShortNeedle) return text.rfind(needle);
  const size_t at = KnuthMorrisPratt(text.rbegin(), text.rend(), needle.rbegin(), needle.rend());
  return at == std::string_view::npos ? at : text.size() - at - needle.size();
}

size_t CountOccurrences(std::string_view text, std::string_view needle) {
  size_t count = 0;
  for (size_t at = Find(text, needle); at != std::string_view::npos;
       at = Find(text, needle, at + needle.size())) {
    ++count;
  }
  return count;
}

}  // namespace ringlet::jinja
