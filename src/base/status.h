// Status and Result<T>: how everything that input can cause is reported.
//
// The library never prints, exits or throws on bad input; it returns one of these. A message names
// the source (file, flag, request field), what was found and what was expected. Programmer errors
// are RINGLET_CHECKs instead (base/check.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace ringlet {

enum class StatusCode {
  kOk,
  kInvalidInput,  // a file, flag or field holds something wrong
  kNotFound,      // a named file, tensor, preset or key does not exist
  kUnsupported,   // well formed, but this build does not implement it
  kResource,      // memory, disk space or a configured limit is exhausted
  kIo,            // the operating system refused an operation
  kCancelled,     // the caller asked to stop
};

// "invalid input", "not found", ...
std::string_view StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status Ok() { return {}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same status with "prefix: " before the message; unchanged when ok.
  Status WithContext(std::string_view prefix) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

// "source: field: found X, expected Y". Source is a file name or flag, field may be empty.
Status BadInput(std::string_view source, std::string_view field, std::string_view found,
                std::string_view expected);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit by design
    RINGLET_CHECK(!status_.ok(), "a Result needs a value or an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    RINGLET_CHECK(ok(), status_.message());
    return *value_;
  }
  const T& value() const& {
    RINGLET_CHECK(ok(), status_.message());
    return *value_;
  }
  T&& value() && {
    RINGLET_CHECK(ok(), status_.message());
    return *std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace ringlet

#define RINGLET_CONCAT_INNER(a, b) a##b
#define RINGLET_CONCAT(a, b) RINGLET_CONCAT_INNER(a, b)

#define RINGLET_RETURN_IF_ERROR(expr)                                                           \
  do {                                                                                          \
    if (::ringlet::Status ringlet_status = (expr); !ringlet_status.ok()) return ringlet_status; \
  } while (false)

// RINGLET_ASSIGN_OR_RETURN(auto x, F()); declares or assigns x, or returns F's error.
#define RINGLET_ASSIGN_OR_RETURN(lhs, expr)                    \
  auto RINGLET_CONCAT(ringlet_result_, __LINE__) = (expr);     \
  if (!RINGLET_CONCAT(ringlet_result_, __LINE__).ok())         \
    return RINGLET_CONCAT(ringlet_result_, __LINE__).status(); \
  lhs = std::move(RINGLET_CONCAT(ringlet_result_, __LINE__)).value()
