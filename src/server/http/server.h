// A small HTTP/1.1 server: one thread does all input and output, handlers answer from any thread.
//
// Clients are hostile: every size and every time is limited, requests that two readers could cut
// differently are refused (request_head.h), and a slow client costs the others nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "server/http/exchange.h"
#include "server/http/message.h"

namespace ringlet {

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // an address, or a name that resolves to one
  int port = 8080;                 // 0: any that is free

  size_t max_connections = 1024;                // beyond: 503 with Retry-After, and closed
  size_t max_request_line_bytes = 8192;         // beyond: 414
  size_t max_header_bytes = 16384;              // with the request line; beyond: 431
  size_t max_headers = 100;                     // beyond: 431
  uint64_t max_body_bytes = uint64_t{8} << 20;  // beyond: 413

  // A head has to arrive in header_timeout after its first byte (or the connection), a body in
  // body_timeout and a second for each min_bytes_per_second received; otherwise 408.
  std::chrono::milliseconds header_timeout{10000};
  std::chrono::milliseconds body_timeout{30000};
  size_t min_bytes_per_second = 1024;
  std::chrono::milliseconds idle_timeout{60000};  // between requests

  // A client has gone when it takes no byte for write_stall, when more than output_buffer_bytes of
  // a stream wait for it that long (at once with 16 times as much), or when it takes the rest of a
  // finished answer more slowly than min_bytes_per_second.
  std::chrono::milliseconds write_stall{30000};
  size_t output_buffer_bytes = size_t{256} << 10;

  // After this silence a stream of events gets a comment; 0: never.
  std::chrono::milliseconds keep_alive_comment{15000};
  // How long a connection that the server closes waits for the client to read the answer.
  std::chrono::milliseconds linger{1000};

  // Called on the I/O thread with the head of each request, before any of its body is read; an
  // answer refuses the request and closes the connection.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> authorize;
  // Called on the I/O thread with what was read of a request that no handler will see (malformed,
  // over a limit, too slow, not authorized) and with its answer, to which headers may be added.
  std::function<void(const HttpRequest&, HttpResponse*)> on_refused;
  // Called on the I/O thread with each request that a handler answers with a status from 400 on.
  std::function<void(const HttpRequest&, const HttpResponse&)> on_error;
};

// Counters since the start, and the two that come and go.
struct HttpServerStats {
  size_t open_connections = 0;
  size_t active_exchanges = 0;
  uint64_t connections = 0;          // accepted
  uint64_t refused_connections = 0;  // over max_connections
  uint64_t requests = 0;             // that reached the handler
  uint64_t refused_requests = 0;     // malformed, over a limit or not authorized
  uint64_t timeouts = 0;             // 408
  uint64_t disconnects = 0;          // clients that left before their answer was complete
  uint64_t stalls = 0;               // of these, those who were too slow
  uint64_t handler_errors = 0;       // exceptions
  uint64_t accept_pauses = 0;        // no descriptor was left
};

// Runs on the I/O thread and must be quick; an exception becomes a 500.
using HttpHandler = std::function<void(std::shared_ptr<Exchange>)>;

class HttpServer {
 public:
  // Listens and starts the thread, on which all signals are blocked. Errors: kInvalidInput for a
  // host that does not resolve or a port out of range, kIo when the address cannot be bound.
  static Result<std::unique_ptr<HttpServer>> Listen(HttpServerOptions options, HttpHandler handler);
  // Stops at once: every client is disconnected. Not from the I/O thread.
  ~HttpServer();

  int port() const;

  // No new connections; idle ones close, others after the response under way. Any thread.
  void StopAccepting();
  // StopAccepting, then waits until every request under way has been answered; false when that took
  // longer than `timeout`. Not from the I/O thread.
  bool Drain(std::chrono::milliseconds timeout);

  HttpServerStats stats() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringlet
