// Python's str over UTF-8: positions and lengths count code points. Every std::string_view here is
// valid UTF-8 (the interpreter never makes or accepts another).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet::jinja {

bool IsAscii(std::string_view text);
size_t CountCodePoints(std::string_view text);

// The code point at byte `*pos`, which is moved past it.
char32_t NextCodePoint(std::string_view text, size_t* pos);

// Byte offset of code point `index`, at most text.size().
size_t ByteOffset(std::string_view text, size_t index);

// The whole text as code points; four bytes each, so callers charge before asking.
std::vector<char32_t> Decode(std::string_view text);
std::string Encode(const std::vector<char32_t>& code_points);

bool IsSpace(char32_t c);      // str.isspace
bool IsAlpha(char32_t c);      // str.isalpha
bool IsDecimal(char32_t c);    // str.isdecimal
bool IsDigit(char32_t c);      // str.isdigit
bool IsNumeric(char32_t c);    // str.isnumeric
bool IsPrintable(char32_t c);  // str.isprintable
bool IsUpperCase(char32_t c);
bool IsLowerCase(char32_t c);
bool IsLineBreak(char32_t c);  // what str.splitlines splits at

std::string ToUpper(std::string_view text);
std::string ToLower(std::string_view text);
std::string Capitalize(std::string_view text);
std::string SwapCase(std::string_view text);
std::string TitleWords(std::string_view text);  // str.title
bool IsAllUpper(std::string_view text);         // str.isupper
bool IsAllLower(std::string_view text);         // str.islower

enum class Side : uint8_t { kLeft, kRight, kBoth };

// Strips white space, or the code points of `set` when it is given.
std::string_view Strip(std::string_view text, Side side);
std::string_view Strip(std::string_view text, Side side, std::string_view set);

// Lines without their ends, or with them.
std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends);

// Runs of non-space, at most max_split splits (negative: no limit), from the left or the right.
std::vector<std::string_view> SplitSpaces(std::string_view text, int64_t max_split,
                                          bool from_right);
std::vector<std::string_view> SplitAt(std::string_view text, std::string_view separator,
                                      int64_t max_split, bool from_right);

// Byte offset of the first or last occurrence, npos when there is none. Linear in the two lengths,
// unlike std::string_view's, so that a template cannot buy quadratic time.
size_t Find(std::string_view text, std::string_view needle, size_t from = 0);
size_t FindLast(std::string_view text, std::string_view needle);

// Occurrences of a non-empty needle, not overlapping.
size_t CountOccurrences(std::string_view text, std::string_view needle);

}  // namespace ringlet::jinja
