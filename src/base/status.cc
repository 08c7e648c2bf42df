#include "base/status.h"

#include <fmt/format.h>

namespace ringlet {

std::string_view StatusCodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kInvalidInput:
      return "invalid input";
    case StatusCode::kNotFound:
      return "not found";
    case StatusCode::kUnsupported:
      return "unsupported";
    case StatusCode::kResource:
      return "resource exhausted";
    case StatusCode::kIo:
      return "i/o error";
    case StatusCode::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Status Status::WithContext(std::string_view prefix) const {
  if (ok()) return *this;
  return Status(code_, fmt::format("{}: {}", prefix, message_));
}

Status BadInput(std::string_view source, std::string_view field, std::string_view found,
                std::string_view expected) {
  std::string where(source);
  if (!field.empty()) where += fmt::format(": {}", field);
  return Status(StatusCode::kInvalidInput,
                fmt::format("{}: found {}, expected {}", where, found, expected));
}

}  // namespace ringlet
