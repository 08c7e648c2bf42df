// One connection of the server, on the I/O thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/http/answer_encoder.h"
#include "server/http/exchange_core.h"
#include "server/http/output_queue.h"
#include "server/http/request_parser.h"
#include "server/http/server_core.h"

namespace ringlet::http {

// Reads at all times, so that a client that leaves is noticed, except when it has sent too much
// ahead of an answer. Requests are handled one by one, in order. No call recurses into a handler:
// answers come through the loop, even those given within a handler.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, ServerCore& core);

  void Start();
  // Answers 503, whatever the client has to say.
  void StartRefused();
  // The server drains: closes an idle connection.
  void Drain();
  // The client has gone, or is treated so.
  void Abort();

 private:
  enum class State {
    kIdle,  // no byte of a request is here
    kHead,
    kBody,
    kAnswering,  // by the exchange, or by a refusal
    kLingering,  // answered and shut down; the client may still send
    kClosed,
  };

  template <class Body>
  void Guard(const Body& body);
  void Enter(State state);
  void Close();

  // Reading
  void WaitReadable();
  void OnReadable();
  void OnBytes(std::string_view bytes);
  void OnEnd();
  void Parse();
  bool OnHead();
  void ContinueIfAsked();
  void Dispatch();
  void Refuse(const HttpResponse& response);
  void RefuseRequest(HttpResponse response);

  // Writing
  void Wake();
  AnswerContext Context() const;
  void PushAnswer(AnswerPart part);
  void Pump();
  void WaitWritable();
  void Finished();
  void Linger();

  // Time
  TimePoint Deadline() const;
  TimePoint CommentDue() const;
  void Arm();
  void OnTimer();
  void Expire();
  void GiveUp();
  void WriteComment(TimePoint now);

  ServerCore& core_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  TimePoint armed_ = TimePoint::max();
  std::string remote_;

  State state_ = State::kIdle;
  TimePoint since_;  // when the state was entered
  uint64_t requests_ = 0;
  bool busy_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool client_ended_ = false;
  bool close_after_ = false;
  size_t discarded_ = 0;  // while lingering

  RequestParser parser_;
  std::shared_ptr<ExchangeCore> exchange_;
  bool head_request_ = false;
  int minor_version_ = 1;
  bool continued_ = false;

  OutputLimits output_limits_;
  OutputQueue queue_;
  AnswerEncoder encoder_;
  bool ended_ = false;   // the answer is in the queue to its end
  bool events_ = false;  // a stream of events
  std::string tail_;     // its last bytes
  TimePoint last_output_;
};

}  // namespace ringlet::http
