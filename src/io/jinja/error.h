// How errors travel inside the interpreter: TemplateError is thrown by the lexer, the parser and
// the evaluator, and becomes a Status at the two entry points of ChatTemplate. It never leaves
// them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/status.h"

namespace ringlet::jinja {

struct TemplateError {
  StatusCode code;
  std::string message;
  uint32_t line = 0;  // 0: the line being evaluated
};

template <typename... Args>
[[noreturn]] void Fail(fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateError{StatusCode::kInvalidInput, fmt::format(format, std::forward<Args>(args)...)};
}

template <typename... Args>
[[noreturn]] void FailAt(uint32_t line, fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateError{StatusCode::kInvalidInput, fmt::format(format, std::forward<Args>(args)...),
                      line};
}

template <typename... Args>
[[noreturn]] void FailLimit(fmt::format_string<Args...> format, Args&&... args) {
  throw TemplateError{StatusCode::kResource, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace ringlet::jinja
