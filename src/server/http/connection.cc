#include "server/http/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace ringlet::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kMaxAhead = size_t{64} << 10;  // pipelined bytes that are read before their turn
constexpr size_t kMaxDiscarded = size_t{16} << 20;  // from a client that does not stop sending
constexpr size_t kWriteTurn = size_t{256} << 10;    // bytes before others have theirs

// The kernel takes a little more than the client's window and leaves the rest here, where its size
// and its waiting are seen.
void LimitKernelBuffer(int socket) {
  const int bytes = 64 << 10;
  setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

bool IsEventStream(std::string_view content_type) {
  constexpr std::string_view kType = "text/event-stream";
  return SameIgnoringCase(content_type.substr(0, kType.size()), kType);
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, ServerCore& core)
    : core_(core),
      socket_(std::move(socket)),
      timer_(core.io),
      since_(Clock::now()),
      parser_({core.options.max_request_line_bytes, core.options.max_header_bytes,
               core.options.max_headers},
              core.options.max_body_bytes),
      output_limits_{core.options.output_buffer_bytes, core.options.write_stall,
                     core.options.min_bytes_per_second},
      queue_(output_limits_) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  LimitKernelBuffer(socket_.native_handle());
  const auto peer = socket_.remote_endpoint(ignored);
  const std::string address = peer.address().to_string();
  remote_ =
      (peer.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(peer.port());
}

// The last barrier between what one client causes (memory that is not there) and all others.
template <class Body>
void Connection::Guard(const Body& body) {
  try {
    body();
  } catch (...) {
    Abort();
  }
}

void Connection::Enter(State state) {
  state_ = state;
  since_ = Clock::now();
  const bool busy = state == State::kHead || state == State::kBody || state == State::kAnswering;
  if (busy != busy_) core_.AddBusy(busy ? 1 : -1);
  busy_ = busy;
}

void Connection::Start() {
  Guard([&] {
    Arm();
    WaitReadable();
  });
}

void Connection::StartRefused() {
  Guard([&] {
    HttpResponse response = HttpError(503, "too many connections", "server_busy");
    response.headers.emplace_back("Retry-After", "1");
    Refuse(response);
    WaitReadable();
  });
}

void Connection::Drain() {
  Guard([&] {
    if (state_ == State::kIdle) Linger();
  });
}

void Connection::Abort() {
  const auto self = shared_from_this();
  if (exchange_) {
    ++core_.counters.disconnects;
    --core_.counters.active_exchanges;
    std::exchange(exchange_, nullptr)->Disconnect();
  }
  Close();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  const auto self = shared_from_this();
  Enter(State::kClosed);
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  core_.Remove(self);
}

void Connection::WaitReadable() {
  if (reading_ || client_ended_ || state_ == State::kClosed) return;
  if (state_ == State::kAnswering && parser_.pending_bytes() > kMaxAhead) return;
  reading_ = true;
  socket_.async_wait(asio::socket_base::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       self->reading_ = false;
                       if (error || self->state_ == State::kClosed) return;
                       self->Guard([&] { self->OnReadable(); });
                     });
}

void Connection::OnReadable() {
  error_code error;
  const size_t n = socket_.read_some(asio::buffer(core_.read_buffer), error);
  if (error == asio::error::eof) return OnEnd();
  if (error && error != asio::error::would_block) return Abort();
  if (!error) OnBytes({core_.read_buffer.data(), n});
  WaitReadable();
}

void Connection::OnBytes(std::string_view bytes) {
  if (state_ == State::kLingering) {
    discarded_ += bytes.size();
    if (discarded_ > kMaxDiscarded) Close();
    return;
  }
  parser_.Append(bytes);
  if (state_ != State::kAnswering) Parse();
}

// The client sends no more. Without a complete answer it has gone; a complete one is still sent.
void Connection::OnEnd() {
  client_ended_ = true;
  if (state_ != State::kAnswering) return Close();
  if (!exchange_) return;
  if (!exchange_->ended()) return Abort();
  Wake();
}

void Connection::Parse() {
  while (state_ == State::kIdle || state_ == State::kHead || state_ == State::kBody) {
    switch (parser_.Next()) {
      case ParseStep::kMore:
        if (state_ == State::kIdle && parser_.started()) Enter(State::kHead);
        if (state_ == State::kBody) ContinueIfAsked();
        return Arm();
      case ParseStep::kHead:
        if (!OnHead()) return;
        break;
      case ParseStep::kDone:
        return Dispatch();
      case ParseStep::kFailed:
        return RefuseRequest(HttpError(parser_.refusal().status, parser_.refusal().message));
    }
  }
}

bool Connection::OnHead() {
  Enter(State::kBody);
  parser_.request().remote = remote_;
  head_request_ = parser_.request().method == "HEAD";
  minor_version_ = parser_.request().minor_version;
  close_after_ = !parser_.framing().keep_alive;
  continued_ = false;
  if (!core_.options.authorize) return true;
  std::optional<HttpResponse> refused;
  try {
    refused = core_.options.authorize(parser_.request());
  } catch (...) {
    ++core_.counters.handler_errors;
    refused = HttpError(500, "internal error");
  }
  if (refused) RefuseRequest(std::move(*refused));
  return !refused;
}

void Connection::ContinueIfAsked() {
  if (!parser_.framing().expects_continue || continued_) return;
  continued_ = true;
  if (parser_.body_bytes() > 0 || parser_.pending_bytes() > 0) return;
  queue_.Push("HTTP/1.1 100 Continue\r\n\r\n", Clock::now());
  Pump();
}

void Connection::Dispatch() {
  Enter(State::kAnswering);
  ++requests_;
  ++core_.counters.requests;
  ++core_.counters.active_exchanges;
  exchange_ = std::make_shared<ExchangeCore>(parser_.TakeRequest(),
                                             [&io = core_.io, weak = weak_from_this()] {
                                               asio::post(io, [weak] {
                                                 if (const auto self = weak.lock())
                                                   self->Guard([&] { self->Wake(); });
                                               });
                                             });
  const auto exchange = exchange_;
  try {
    core_.handler(std::make_shared<Exchange>(exchange));
  } catch (...) {
    ++core_.counters.handler_errors;
    exchange->Fail();
  }
}

void Connection::RefuseRequest(HttpResponse response) {
  ++core_.counters.refused_requests;
  if (core_.options.on_refused) core_.options.on_refused(parser_.request(), &response);
  Refuse(response);
}

// What the client has sent besides is not read as a request any more.
void Connection::Refuse(const HttpResponse& response) {
  Enter(State::kAnswering);
  close_after_ = true;
  const TimePoint now = Clock::now();
  queue_.Push(encoder_.Head(response, response.body.size(), Context()), now);
  std::string body;
  encoder_.Body(response.body, body);
  queue_.Push(std::move(body), now);
  queue_.Finish(now);
  ended_ = true;
  Pump();
}

AnswerContext Connection::Context() const {
  const bool keep_alive = !close_after_ && !core_.draining;
  return {head_request_, minor_version_, keep_alive, core_.Date()};
}

void Connection::Wake() {
  if (!exchange_ || ended_) return;
  PushAnswer(exchange_->Take());
  Pump();
}

void Connection::PushAnswer(AnswerPart part) {
  const TimePoint now = Clock::now();
  if (part.begins) {
    events_ = part.stream && IsEventStream(part.head.content_type);
    tail_.clear();
    last_output_ = now;
    if (part.head.status >= 400 && core_.options.on_error) {
      core_.options.on_error(exchange_->request(), part.head);
    }
    queue_.Push(part.stream ? encoder_.StreamHead(part.head, Context())
                            : encoder_.Head(part.head, part.bytes.size(), Context()),
                now);
  }
  if (!part.bytes.empty()) {
    last_output_ = now;
    tail_ += part.bytes.substr(part.bytes.size() - std::min<size_t>(4, part.bytes.size()));
    tail_.erase(0, tail_.size() - std::min<size_t>(4, tail_.size()));
    if (encoder_.frames()) {
      std::string framed;
      encoder_.Body(part.bytes, framed);
      part.bytes = std::move(framed);
    }
    if (encoder_.has_body()) queue_.Push(std::move(part.bytes), now);
  }
  if (!part.ends) return;
  std::string end;
  if (!part.cut_off) encoder_.End(end);
  if (part.cut_off) close_after_ = true;
  queue_.Push(std::move(end), now);
  queue_.Finish(now);
  ended_ = true;
}

void Connection::Pump() {
  size_t budget = kWriteTurn;
  while (!queue_.empty() && budget > 0) {
    error_code error;
    const std::string_view front = queue_.Front().substr(0, budget);
    const size_t n = socket_.write_some(asio::buffer(front.data(), front.size()), error);
    if (error == asio::error::would_block) break;
    if (error) return Abort();
    queue_.Advance(n, Clock::now());
    budget -= n;
  }
  if (exchange_) exchange_->SetQueued(queue_.size());
  if (queue_.empty() && ended_) return Finished();
  if (queue_.Overflows()) return GiveUp();
  if (!queue_.empty()) WaitWritable();
  Arm();
}

void Connection::WaitWritable() {
  if (writing_) return;
  writing_ = true;
  socket_.async_wait(asio::socket_base::wait_write,
                     [self = shared_from_this()](const error_code& error) {
                       self->writing_ = false;
                       if (error || self->state_ == State::kClosed) return;
                       self->Guard([&] { self->Pump(); });
                     });
}

void Connection::Finished() {
  if (exchange_) {
    --core_.counters.active_exchanges;
    std::exchange(exchange_, nullptr)->Close();
  }
  ended_ = false;
  events_ = false;
  queue_ = OutputQueue(output_limits_);
  if (close_after_ || core_.draining || client_ended_) return Linger();
  Enter(State::kIdle);
  Parse();
  WaitReadable();
}

// Closing with bytes unread would reset the connection, and the client might lose the answer.
void Connection::Linger() {
  if (client_ended_) return Close();
  error_code error;
  socket_.shutdown(asio::socket_base::shutdown_send, error);
  if (error) return Close();
  Enter(State::kLingering);
  WaitReadable();
  Arm();
}

TimePoint Connection::Deadline() const {
  const HttpServerOptions& options = core_.options;
  switch (state_) {
    case State::kIdle:
      return since_ + (requests_ == 0 ? options.header_timeout : options.idle_timeout);
    case State::kHead:
      return since_ + options.header_timeout;
    case State::kBody:
      return since_ + options.body_timeout +
             std::chrono::milliseconds(parser_.body_bytes() * 1000 /
                                       std::max<size_t>(1, options.min_bytes_per_second));
    case State::kAnswering:
      return queue_.Deadline().value_or(TimePoint::max());
    case State::kLingering:
      return since_ + options.linger;
    case State::kClosed:
      break;
  }
  return TimePoint::max();
}

// A comment may stand between events only, and is no use to a client that does not read.
TimePoint Connection::CommentDue() const {
  const bool between = tail_.empty() || tail_.ends_with("\n\n") || tail_.ends_with("\r\n\r\n");
  if (!events_ || ended_ || !between || !queue_.empty() ||
      core_.options.keep_alive_comment.count() == 0) {
    return TimePoint::max();
  }
  return last_output_ + core_.options.keep_alive_comment;
}

// The timer is only ever moved forward; one that comes too early finds out and waits again, which
// is cheaper than moving it with each byte.
void Connection::Arm() {
  if (state_ == State::kClosed) return;
  const TimePoint next = std::min(Deadline(), CommentDue());
  if (next >= armed_) return;
  armed_ = next;
  timer_.expires_at(next);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error || self->state_ == State::kClosed) return;
    self->Guard([&] { self->OnTimer(); });
  });
}

void Connection::OnTimer() {
  armed_ = TimePoint::max();
  const TimePoint now = Clock::now();
  if (now >= Deadline()) return Expire();
  if (now >= CommentDue()) WriteComment(now);
  Arm();
}

void Connection::WriteComment(TimePoint now) {
  last_output_ = now;
  std::string framed;
  encoder_.Body(": keep-alive\n\n", framed);
  queue_.Push(std::move(framed), now);
  Pump();
}

void Connection::Expire() {
  switch (state_) {
    case State::kHead:
    case State::kBody:
      ++core_.counters.timeouts;
      return RefuseRequest(HttpError(408, "the request did not arrive in time"));
    case State::kAnswering:
      return GiveUp();
    default:
      return Close();
  }
}

// The client is too slow. Reset: what the kernel still holds for it is of no use.
void Connection::GiveUp() {
  ++core_.counters.stalls;
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  Abort();
}

}  // namespace ringlet::http
