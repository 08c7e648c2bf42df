#include "server/http/client_call.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace ringlet::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::string RequestBytes(const HttpCall& call, const std::string& host) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", call.method, call.target, host);
  for (const auto& [name, value] : call.headers) out += fmt::format("{}: {}\r\n", name, value);
  if (!call.body.empty() || call.method == "POST") {
    out += fmt::format("Content-Length: {}\r\n", call.body.size());
  }
  return out + "\r\n" + call.body;
}

HttpTime Now() { return std::chrono::steady_clock::now(); }

}  // namespace

ClientCall::ClientCall(ClientCore& core, HttpClient::CallId id, HttpCall call)
    : core_(core), id_(id), call_(std::move(call)), socket_(core.io), timer_(core.io) {}

void ClientCall::Start() {
  reply_.started = Now();
  request_ = RequestBytes(call_, core_.host);
  if (call_.timeout.count() > 0) {
    timer_.expires_after(call_.timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->Finish(Status(StatusCode::kResource, "the call took too long"));
    });
  }
  parser_ = std::make_unique<ResponseParser>(call_.method == "HEAD");
  if (Reuse()) {
    Send();
  } else {
    Connect();
  }
}

// A connection that the server has closed, or that holds bytes nobody asked for, is passed over.
bool ClientCall::Reuse() {
  while (!core_.idle.empty()) {
    socket_ = std::move(core_.idle.back());
    core_.idle.pop_back();
    error_code error;
    char byte = 0;
    socket_.read_some(asio::buffer(&byte, 1), error);
    if (error == asio::error::would_block) return reply_.reused = true;
    socket_.close(error);
  }
  return false;
}

void ClientCall::Connect() {
  reply_.reused = false;
  socket_.async_connect(core_.server, [self = shared_from_this()](const error_code& error) {
    if (self->finished_) return;
    if (error) return self->OnBroken("cannot connect: " + error.message());
    error_code ignored;
    self->socket_.non_blocking(true, ignored);
    self->socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    self->Send();
  });
}

// An error of writing shows when reading: the server may have answered before it closed.
void ClientCall::Send() {
  asio::async_write(socket_, asio::buffer(request_),
                    [self = shared_from_this()](const error_code&, size_t) {
                      if (!self->finished_) self->reply_.sent = Now();
                    });
  WaitReadable();
}

void ClientCall::WaitReadable() {
  socket_.async_wait(asio::socket_base::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       if (self->finished_) return;
                       if (error) return self->OnBroken(error.message());
                       self->OnReadable();
                     });
}

void ClientCall::OnReadable() {
  error_code error;
  const size_t n = socket_.read_some(asio::buffer(core_.read_buffer), error);
  const HttpTime now = Now();
  if (error == asio::error::would_block) return WaitReadable();
  if (error == asio::error::eof && answered_) return Finish(parser_->End());
  if (error) return OnBroken(error.message());
  answered_ = true;
  OnBytes({core_.read_buffer.data(), n}, now);
}

void ClientCall::OnBytes(std::string_view bytes, HttpTime now) {
  const bool had_head = parser_->has_head();
  std::string body;
  Status status = parser_->Append(bytes, body);
  if (!had_head && parser_->has_head()) {
    reply_.head = now;
    reply_.code = parser_->code();
    reply_.headers = parser_->headers();
    if (call_.on_event && FindHeader(reply_.headers, "Content-Type").starts_with("text/event")) {
      events_ = std::make_unique<SseParser>(call_.max_body_bytes);
    }
    if (call_.on_head) call_.on_head(reply_.code, reply_.headers, now);
  }
  if (status.ok() && !finished_) status = Deliver(std::move(body), now);
  if (finished_) return;  // a callback cancelled
  if (!status.ok() || parser_->done()) return Finish(std::move(status));
  WaitReadable();
}

Status ClientCall::Deliver(std::string body, HttpTime now) {
  body_bytes_ += body.size();
  if (body_bytes_ > call_.max_body_bytes) {
    return Status(StatusCode::kInvalidInput,
                  fmt::format("the body is longer than {} bytes", call_.max_body_bytes));
  }
  if (events_) {
    std::vector<SseEvent> events;
    events_->Append(body, events);
    for (const SseEvent& event : events) call_.on_event(event, now);
  } else if (call_.on_body) {
    if (!body.empty()) call_.on_body(body, now);
  } else {
    reply_.body += body;
  }
  return Status::Ok();
}

// A server may close an idle connection just as it is used again: that is no failure of the call.
void ClientCall::OnBroken(const std::string& what) {
  if (!reply_.reused || answered_) return Finish(Status(StatusCode::kIo, what));
  error_code ignored;
  socket_.close(ignored);
  Connect();
}

void ClientCall::Finish(Status status) {
  if (std::exchange(finished_, true)) return;
  const auto self = shared_from_this();
  core_.calls.erase(id_);
  timer_.cancel();
  const bool whole = status.ok() && parser_->keep_alive() && reply_.sent != HttpTime();
  if (whole) {
    socket_.cancel();
    core_.idle.push_back(std::move(socket_));
  } else {
    error_code ignored;
    socket_.close(ignored);
  }
  reply_.status = std::move(status);
  reply_.done = Now();
  if (call_.on_done) call_.on_done(reply_);
}

}  // namespace ringlet::http
