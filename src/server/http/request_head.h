// The first lines of a request, read strictly: what two readers of HTTP could understand
// differently is refused, so that nothing can be smuggled past a proxy in front of the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace ringlet::http {

struct HeadLimits {
  size_t request_line_bytes = 8192;  // beyond: 414
  size_t header_bytes = 16384;       // of the whole head; beyond: 431
  size_t header_count = 100;         // beyond: 431
};

// Why a request is refused.
struct Refusal {
  int status = 400;
  std::string message;
};

// How the body is framed and what the client expects of the connection.
struct HeadFraming {
  bool chunked = false;
  uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Looks at the head's bytes as far as they have arrived, so that what is no HTTP at all need not
// wait for its end: control bytes, and line ends that are not CR LF. `from` is where to begin; the
// byte before it has been seen.
std::optional<Refusal> CheckHeadBytes(std::string_view head, size_t from);

// Parses a whole head, including the empty line, into everything of `request` but body and remote.
// Refuses: lines that are folded or without a name, spaces before the colon, no Host or two, a
// Content-Length that is repeated or no decimal number, a Transfer-Encoding that is repeated, is
// not "chunked", comes in HTTP/1.0 or with a Content-Length, versions other than 1.0 and 1.1,
// targets that are neither a path nor an http URL, an Expect other than 100-continue (417).
std::optional<Refusal> ParseHead(std::string_view head, const HeadLimits& limits,
                                 HttpRequest& request, HeadFraming& framing);

}  // namespace ringlet::http
