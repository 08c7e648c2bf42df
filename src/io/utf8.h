// UTF-8 primitives shared by the tokenizer's parts. "Valid" is RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ringlet {

// Bytes of the valid character that `text` starts with; 0 when it starts with none (empty, invalid
// or cut short).
size_t Utf8CharLength(std::string_view text);

// Length of the longest valid prefix.
size_t ValidUtf8Prefix(std::string_view text);

// How many bytes at the end of `text` begin a character that more bytes could complete: 0 to 3.
// Everything before them is either complete or can never become valid.
size_t IncompleteUtf8Suffix(std::string_view text);

// `text` with every maximal ill-formed part replaced by U+FFFD, as the Unicode standard recommends.
std::string ReplaceInvalidUtf8(std::string_view text);

// The code point of a valid character of Utf8CharLength(text) bytes.
char32_t DecodeUtf8Char(std::string_view text);

// The last character of `text`, empty when `text` does not end in a valid one.
std::string_view LastUtf8Char(std::string_view text);

void AppendUtf8(char32_t code_point, std::string& out);

// The Unicode property White_Space.
bool IsUnicodeSpace(char32_t code_point);

}  // namespace ringlet
