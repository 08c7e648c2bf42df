// How a command ends: an exit code, and for failures what is printed on stderr.
#pragma once

#include <string>
#include <utility>

#include "base/status.h"

namespace ringlet::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;  // as a shell reports SIGINT

class [[nodiscard]] Outcome {
 public:
  Outcome() = default;
  // An error becomes exit code 1; ok becomes 0.
  Outcome(const Status& status)  // NOLINT: implicit by design
      : exit_code_(status.ok() ? kExitOk : kExitFailed), error_(status.message()) {}

  // A command line that makes no sense.
  static Outcome Usage(std::string message) { return Outcome(kExitUsage, std::move(message)); }
  static Outcome Exit(int code) { return Outcome(code, ""); }

  // Adds what the user may do next; kept only by failures.
  Outcome WithHint(std::string hint) && {
    if (!error_.empty()) hint_ = std::move(hint);
    return std::move(*this);
  }

  int exit_code() const { return exit_code_; }
  const std::string& error() const { return error_; }
  const std::string& hint() const { return hint_; }

 private:
  Outcome(int code, std::string error) : exit_code_(code), error_(std::move(error)) {}

  int exit_code_ = kExitOk;
  std::string error_;
  std::string hint_;
};

}  // namespace ringlet::cli
