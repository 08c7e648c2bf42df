// An HTTP/1.1 client for many calls at once on one thread: load generators, tests, health checks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "server/http/message.h"
#include "server/http/sse.h"

namespace ringlet {

using HttpTime = std::chrono::steady_clock::time_point;

// How a call went. Times that were not reached are those of the epoch.
struct HttpReply {
  // kIo: refused, reset or cut off; kInvalidInput: not HTTP, or longer than max_body_bytes;
  // kResource: the timeout; kCancelled. Any status code of HTTP is ok.
  Status status;
  int code = 0;  // 0: no head arrived
  HttpHeaders headers;
  std::string body;  // unless on_body or on_event took it
  HttpTime started, sent, head, done;
  bool reused = false;  // an open connection served
};

// The functions may be empty. They run on the client's thread; `time` is when the bytes were read.
struct HttpCall {
  std::string method = "POST";
  std::string target = "/";
  HttpHeaders headers;  // Host and the body's length are added
  std::string body;
  std::chrono::milliseconds timeout{0};  // of the whole call; 0: none
  size_t max_body_bytes = size_t{64} << 20;
  std::function<void(int code, const HttpHeaders& headers, HttpTime time)> on_head;
  std::function<void(std::string_view bytes, HttpTime time)> on_body;
  std::function<void(const SseEvent& event, HttpTime time)> on_event;  // of text/event-stream
  std::function<void(const HttpReply& reply)> on_done;                 // once
};

// A call for `body`, a JSON document.
HttpCall JsonCall(std::string target, std::string body);

class HttpClient {
 public:
  using CallId = uint64_t;

  // Errors: kInvalidInput for a host that does not resolve.
  static Result<std::unique_ptr<HttpClient>> Create(const std::string& host, int port);
  // Calls that are not done are dropped without on_done.
  ~HttpClient();

  // Start, Cancel, At and Stop may be called from any thread, and from the functions of calls.
  CallId Start(HttpCall call);
  // The call ends with kCancelled and its connection is closed; nothing happens when it is done.
  void Cancel(CallId id);

  // Runs `task` on the client's thread, at `time` or soon after.
  void At(HttpTime time, std::function<void()> task);

  // Runs calls and tasks on this thread until none is left, or Stop. May be called again.
  void Run();
  void Stop();

  // One call, start to end, on this thread. Not while Run() runs.
  HttpReply Fetch(HttpCall call);

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringlet
