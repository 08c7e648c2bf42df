#include "io/grammar/code_points.h"

#include <algorithm>
#include <string>

#include "io/utf8.h"

namespace ringlet::grammar {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800;
constexpr char32_t kLastSurrogate = 0xDFFF;
constexpr char32_t kLastOfLength[] = {0x7F, 0x7FF, 0xFFFF, kLastCodePoint};

// first and last have spellings of the same length.
void SplitRange(char32_t first, char32_t last, std::vector<ByteRanges>& out) {
  std::string low, high;
  AppendUtf8(first, low);
  AppendUtf8(last, high);
  // A product of byte ranges is an interval when, after the first byte that differs, every
  // continuation byte runs from its lowest to its highest value. Otherwise cut at such a place.
  for (size_t i = 1; i < low.size(); ++i) {
    const char32_t mask = (char32_t{1} << (6 * (low.size() - i))) - 1;
    if ((first & ~mask) == (last & ~mask)) continue;
    if ((first & mask) != 0) {
      SplitRange(first, first | mask, out);
      SplitRange((first | mask) + 1, last, out);
      return;
    }
    if ((last & mask) != mask) {
      SplitRange(first, (last & ~mask) - 1, out);
      SplitRange(last & ~mask, last, out);
      return;
    }
  }
  ByteRanges ranges;
  for (size_t i = 0; i < low.size(); ++i) {
    ranges.emplace_back(static_cast<uint8_t>(low[i]), static_cast<uint8_t>(high[i]));
  }
  out.push_back(std::move(ranges));
}

}  // namespace

CodePointSet CodePointSet::FromRanges(const std::vector<std::pair<char32_t, char32_t>>& ranges) {
  std::vector<std::pair<char32_t, char32_t>> parts;  // without surrogates
  for (const auto& [first, end] : ranges) {
    const char32_t last = std::min(end, kLastCodePoint);
    if (first > last) continue;
    if (first < kFirstSurrogate)
      parts.emplace_back(first, std::min(last, char32_t{kFirstSurrogate - 1}));
    if (last > kLastSurrogate)
      parts.emplace_back(std::max(first, char32_t{kLastSurrogate + 1}), last);
  }
  std::sort(parts.begin(), parts.end());
  CodePointSet out;
  for (const auto& [first, last] : parts) {
    if (!out.ranges_.empty() && first <= out.ranges_.back().second + 1) {
      out.ranges_.back().second = std::max(out.ranges_.back().second, last);
    } else {
      out.ranges_.emplace_back(first, last);
    }
  }
  return out;
}

CodePointSet CodePointSet::Of(char32_t first, char32_t last) { return FromRanges({{first, last}}); }

CodePointSet CodePointSet::All() { return Of(0, kLastCodePoint); }

CodePointSet CodePointSet::Union(const CodePointSet& other) const {
  std::vector<std::pair<char32_t, char32_t>> both = ranges_;
  both.insert(both.end(), other.ranges_.begin(), other.ranges_.end());
  return FromRanges(both);
}

CodePointSet CodePointSet::Complement() const {
  std::vector<std::pair<char32_t, char32_t>> gaps;
  char32_t next = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > next) gaps.emplace_back(next, first - 1);
    next = last + 1;
  }
  gaps.emplace_back(next, kLastCodePoint);
  return FromRanges(gaps);
}

CodePointSet CodePointSet::Without(const CodePointSet& other) const {
  return Intersect(other.Complement());
}

CodePointSet CodePointSet::Intersect(const CodePointSet& other) const {
  CodePointSet out;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const char32_t first = std::max(a->first, b->first);
    const char32_t last = std::min(a->second, b->second);
    if (first <= last) out.ranges_.emplace_back(first, last);
    (a->second < b->second ? a : b)++;
  }
  return out;
}

bool CodePointSet::Contains(char32_t c) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [c](const auto& range) { return range.first <= c && c <= range.second; });
}

std::vector<ByteRanges> Utf8Sequences(const CodePointSet& set) {
  std::vector<ByteRanges> out;
  for (auto [first, last] : set.ranges()) {
    for (const char32_t end : kLastOfLength) {
      if (first > end || first > last) continue;
      SplitRange(first, std::min(last, end), out);
      first = end + 1;
    }
  }
  return out;
}

}  // namespace ringlet::grammar
