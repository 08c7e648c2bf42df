// One call of an HttpClient, on the client's thread.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/client.h"
#include "server/http/response_parser.h"

namespace ringlet::http {

class ClientCall;

// What the calls of a client share.
struct ClientCore {
  boost::asio::io_context io{1};
  boost::asio::ip::tcp::endpoint server;
  std::string host;  // as the Host header has it
  std::array<char, size_t{64} << 10> read_buffer;
  // Open connections without a call; the last one was used last.
  std::vector<boost::asio::ip::tcp::socket> idle;
  std::map<HttpClient::CallId, std::shared_ptr<ClientCall>> calls;
};

class ClientCall : public std::enable_shared_from_this<ClientCall> {
 public:
  ClientCall(ClientCore& core, HttpClient::CallId id, HttpCall call);

  void Start();
  void Finish(Status status);

 private:
  void Connect();
  bool Reuse();
  void Send();
  void WaitReadable();
  void OnReadable();
  void OnBytes(std::string_view bytes, HttpTime now);
  Status Deliver(std::string body, HttpTime now);
  void OnBroken(const std::string& what);

  ClientCore& core_;
  const HttpClient::CallId id_;
  const HttpCall call_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::string request_;
  std::unique_ptr<ResponseParser> parser_;
  std::unique_ptr<SseParser> events_;
  size_t body_bytes_ = 0;
  bool answered_ = false;  // a byte of the response arrived
  bool finished_ = false;
  HttpReply reply_;
};

}  // namespace ringlet::http
