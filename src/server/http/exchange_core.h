// What an Exchange and its connection share: the answer on its way from any thread to the I/O
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>

#include "server/http/message.h"

namespace ringlet::http {

// What has been answered since it was last taken.
struct AnswerPart {
  bool begins = false;  // head, and whether a stream follows, are set
  bool stream = false;
  bool ends = false;
  bool cut_off = false;  // the stream ends without having been finished
  HttpResponse head;     // without its body
  std::string bytes;
};

class ExchangeCore {
 public:
  // `wake` has the I/O thread call Take soon. It is called with a lock held, from any thread, until
  // Close or Disconnect returns.
  ExchangeCore(HttpRequest request, std::function<void()> wake)
      : request_(std::move(request)), wake_(std::move(wake)) {}

  // The side of the Exchange; see there.
  const HttpRequest& request() const { return request_; }
  void AddHeader(std::string name, std::string value);
  void Respond(HttpResponse response);
  void BeginStream(int status, std::string content_type, HttpHeaders headers);
  void Write(std::string bytes);
  void End();
  void Abandon();
  bool answered() const;
  void OnDisconnect(std::function<void()> gone);
  bool disconnected() const;
  size_t unsent_bytes() const;

  // The side of the connection, on the I/O thread.
  AnswerPart Take();
  void SetQueued(size_t bytes);
  // The handler failed: 500 if nothing was answered. What anybody else answers later is ignored.
  void Fail();
  // Whether all of the answer was given, taken or not.
  bool ended() const;
  // The answer was sent.
  void Close();
  // The client has gone.
  void Disconnect();

 private:
  void BeginLocked(HttpResponse&& head, bool stream);
  void EndLocked(std::function<void()>& dropped);
  void WakeLocked();

  const HttpRequest request_;
  mutable std::mutex mutex_;
  std::function<void()> wake_;  // empty when the connection no longer wants the answer
  std::function<void()> gone_;
  AnswerPart part_;
  HttpHeaders extra_headers_;
  bool answered_ = false;
  bool failed_ = false;
  bool stream_ = false;
  bool ended_ = false;
  bool disconnected_ = false;
  bool wake_pending_ = false;
  size_t queued_ = 0;  // taken, and not yet written to the socket
};

}  // namespace ringlet::http
