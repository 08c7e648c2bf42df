// RINGLET_CHECK: programmer errors only. Always on, prints and aborts; never reachable from the
// bytes of a file or a request (those return a Status).
#pragma once

#include <string_view>

namespace ringlet {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view detail);

}  // namespace ringlet

#define RINGLET_CHECK(condition, detail)                                \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::ringlet::CheckFailed(__FILE__, __LINE__, #condition, (detail)); \
  } while (false)

// Where control cannot come: compilers see that nothing follows, also without optimization.
#define RINGLET_UNREACHABLE(detail) \
  ::ringlet::CheckFailed(__FILE__, __LINE__, "unreachable", (detail))
