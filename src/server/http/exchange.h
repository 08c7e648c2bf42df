// One request that is being answered.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "server/http/message.h"

namespace ringlet {

namespace http {
class ExchangeCore;
}

// May be kept after the handler has returned and answered from any thread; every call is safe from
// every thread, takes microseconds and never waits for the client. An exchange outlives its
// connection and its server; answering it then does nothing.
//
// Exactly one of Respond and BeginStream ... End answers; a second answer, or bytes outside of a
// stream, are mistakes of the programmer (RINGLET_CHECK). An exchange that is dropped unanswered
// becomes a 500; a stream that is dropped before End is cut off, so that the client can tell.
class Exchange {
 public:
  explicit Exchange(std::shared_ptr<http::ExchangeCore> core);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const HttpRequest& request() const;

  // A header for the answer to come, whoever gives it.
  void AddHeader(std::string name, std::string value);

  void Respond(HttpResponse response);

  // A body whose length is not known. While a stream of type text/event-stream is silent, the
  // server writes comments that keep proxies from closing it, where the bytes written so far end an
  // event.
  void BeginStream(int status, std::string content_type, HttpHeaders headers = {});
  void Write(std::string bytes);
  void End();

  // Whether Respond or BeginStream was called.
  bool answered() const;

  // `gone` is called once, when the client goes away before the answer is complete: a reset, the
  // end of its side of the connection, a stall beyond the limits, or the server's destruction. It
  // runs on the I/O thread, or at once on this one if the client has gone already, and must be
  // quick. It is dropped when the answer is complete. It must not own this exchange: dropping that
  // would go unnoticed. One function at a time; another one replaces it.
  void OnDisconnect(std::function<void()> gone);
  bool disconnected() const;

  // Bytes written and not yet taken by the operating system.
  size_t unsent_bytes() const;

 private:
  std::shared_ptr<http::ExchangeCore> core_;
};

}  // namespace ringlet
