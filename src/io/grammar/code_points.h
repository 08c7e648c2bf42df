// Sets of Unicode characters, and the UTF-8 byte ranges that spell them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace ringlet::grammar {

constexpr char32_t kLastCodePoint = 0x10FFFF;

// Characters only: surrogates are never members.
class CodePointSet {
 public:
  static CodePointSet All();
  static CodePointSet Of(char32_t first, char32_t last);
  // In any order, overlapping or not; ranges whose end is before their beginning are empty.
  static CodePointSet FromRanges(const std::vector<std::pair<char32_t, char32_t>>& ranges);

  CodePointSet Union(const CodePointSet& other) const;

  CodePointSet Complement() const;
  CodePointSet Without(const CodePointSet& other) const;
  CodePointSet Intersect(const CodePointSet& other) const;
  bool Contains(char32_t c) const;
  bool empty() const { return ranges_.empty(); }

  // Ascending, disjoint, not adjacent.
  const std::vector<std::pair<char32_t, char32_t>>& ranges() const { return ranges_; }

 private:
  std::vector<std::pair<char32_t, char32_t>> ranges_;
};

// One to four byte ranges; their product is a set of whole UTF-8 characters.
using ByteRanges = std::vector<std::pair<uint8_t, uint8_t>>;

// The sequences whose union spells exactly the characters of `set`.
std::vector<ByteRanges> Utf8Sequences(const CodePointSet& set);

}  // namespace ringlet::grammar
