// For tests: a client that sends exactly the bytes it is told, over a plain socket.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "server/http/message.h"
#include "server/http/server.h"

namespace ringlet {

using std::chrono::milliseconds;
using TestClock = std::chrono::steady_clock;

inline milliseconds Since(TestClock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(TestClock::now() - start);
}

// Waits until `condition` holds; false after five seconds.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto start = TestClock::now();
  while (!condition()) {
    if (Since(start) > milliseconds(5000)) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

inline size_t OpenDescriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

struct RawResponse {
  int status = 0;
  std::string head;
  std::string body;
};

class RawClient {
 public:
  RawClient() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {}
  // A small `receive_buffer` makes a client that stops reading felt early.
  explicit RawClient(int port, int receive_buffer = 0) : RawClient() {
    if (receive_buffer > 0) {
      setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    Connect(port);
  }
  ~RawClient() { Close(); }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)),
        received_(std::move(other.received_)),
        ended_(other.ended_) {}
  RawClient& operator=(RawClient&&) = delete;

  void Connect(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void Close() {
    if (socket_ >= 0) close(std::exchange(socket_, -1));
  }
  void Reset() {
    const linger now = {1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    Close();
  }
  void HalfClose() { shutdown(socket_, SHUT_WR); }

  // False when the server has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  // Reads once, waiting at most `timeout`; false when nothing came.
  bool Receive(milliseconds timeout) {
    pollfd wait = {socket_, POLLIN, 0};
    if (ended_ || poll(&wait, 1, static_cast<int>(timeout.count())) <= 0) return false;
    char buffer[65536];
    const ssize_t n = recv(socket_, buffer, sizeof buffer, 0);
    if (n <= 0) {
      ended_ = true;
      reset_ = n < 0;
      return false;
    }
    received_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  // What was received up to and with `end`; all of it when `end` does not come.
  std::string ReadTo(std::string_view end, milliseconds timeout = milliseconds(10000)) {
    const auto start = TestClock::now();
    while (received_.find(end) == std::string::npos) {
      if (Since(start) >= timeout || (!Receive(timeout - Since(start)) && ended_)) {
        return std::exchange(received_, {});
      }
    }
    return Take(received_.find(end) + end.size());
  }
  // All that comes before the server closes.
  std::string ReadToEnd(milliseconds timeout = milliseconds(10000)) {
    const auto start = TestClock::now();
    while (!ended_ && Since(start) < timeout) Receive(timeout - Since(start));
    return std::exchange(received_, {});
  }
  // One response whose length its head gives.
  RawResponse ReadResponse(bool to_head = false) {
    RawResponse response;
    response.head = ReadTo("\r\n\r\n");
    if (response.head.size() < 12) return response;
    response.status = std::atoi(response.head.c_str() + 9);
    const size_t at = response.head.find("Content-Length: ");
    if (to_head || at == std::string::npos) return response;
    const auto length = static_cast<size_t>(std::atoll(response.head.c_str() + at + 16));
    while (received_.size() < length && Receive(milliseconds(10000))) {
    }
    response.body = Take(std::min(length, received_.size()));
    return response;
  }
  RawResponse Ask(std::string_view request) {
    Send(request);
    return ReadResponse();
  }

  // Whether the server has closed, or does so within `timeout`.
  bool Closed(milliseconds timeout = milliseconds(5000)) {
    ReadToEnd(timeout);
    return ended_;
  }
  bool was_reset() const { return reset_; }
  const std::string& received() const { return received_; }
  int socket_number() const { return socket_; }

 private:
  std::string Take(size_t bytes) {
    std::string taken = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return taken;
  }

  int socket_;
  std::string received_;
  bool ended_ = false;
  bool reset_ = false;
};

inline std::string Get(std::string_view path, std::string_view headers = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}
inline std::string Post(std::string_view path, std::string_view body,
                        std::string_view headers = {}) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

inline HttpServerOptions TestOptions() {
  HttpServerOptions options;
  options.port = 0;
  options.linger = milliseconds(300);
  return options;
}

inline std::unique_ptr<HttpServer> StartServer(HttpServerOptions options, HttpHandler handler) {
  auto server = HttpServer::Listen(std::move(options), std::move(handler));
  EXPECT_TRUE(server.ok()) << server.status().message();
  return std::move(server).value();
}

inline HttpResponse Text(std::string body) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

// Answers with what was asked: "METHOD path?query body".
inline void Echo(const std::shared_ptr<Exchange>& exchange) {
  const HttpRequest& request = exchange->request();
  exchange->Respond(
      Text(request.method + " " + request.path + "?" + request.query + " " + request.body));
}

}  // namespace ringlet
