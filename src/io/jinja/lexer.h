// Template text to tokens, with Hugging Face's settings: trim_blocks, lstrip_blocks, and one
// newline removed from the end of the source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet::jinja {

enum class TokenKind : uint8_t {
  kText,         // text
  kOutputBegin,  // {{
  kOutputEnd,    // }}
  kBlockBegin,   // {%
  kBlockEnd,     // %}
  kName,         // text
  kString,       // text, unescaped
  kInteger,      // integer
  kFloat,        // number
  kOperator,     // text
  kEnd,
};

struct Token {
  TokenKind kind;
  uint32_t line;
  std::string text;
  int64_t integer = 0;
  double number = 0;
};

// Throws TemplateError. The last token is kEnd.
std::vector<Token> Tokenize(std::string_view source);

// "'endif'", "the end of the template", ... for error messages.
std::string Describe(const Token& token);

}  // namespace ringlet::jinja
