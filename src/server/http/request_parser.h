// Requests cut from the bytes of a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/http/message.h"
#include "server/http/request_head.h"

namespace ringlet::http {

enum class ParseStep {
  kMore,    // append more bytes
  kHead,    // request() has all but the body; Next() goes on with the body
  kDone,    // the request is whole: TakeRequest(), and Next() begins another
  kFailed,  // refusal() says why; the connection cannot be used any more
};

// Bytes in, requests out, however they were cut. Holds what was appended and not yet parsed, which
// the caller bounds; a body is never reserved before it arrives.
class RequestParser {
 public:
  // A body beyond `max_body_bytes` is refused with 413, after kHead, as soon as that is known.
  RequestParser(const HeadLimits& limits, uint64_t max_body_bytes);
  ~RequestParser();

  void Append(std::string_view bytes) { pending_ += bytes; }
  ParseStep Next();

  HttpRequest& request() { return request_; }
  HttpRequest TakeRequest() { return std::move(request_); }
  const HeadFraming& framing() const { return framing_; }
  const Refusal& refusal() const { return refusal_; }
  // Of the body, so far.
  uint64_t body_bytes() const;
  // Whether a byte of an unfinished request is here.
  bool started() const { return state_ != State::kBegin || !pending_.empty(); }
  size_t pending_bytes() const { return pending_.size(); }

 private:
  struct Body;  // Beast's parser
  enum class State { kBegin, kHead, kBody, kFailed };

  ParseStep Fail(Refusal refusal);
  ParseStep ReadHead();
  ParseStep BeginBody();
  ParseStep ReadBody();

  HeadLimits limits_;
  uint64_t max_body_bytes_;
  State state_ = State::kBegin;
  std::string pending_;
  size_t checked_ = 0;  // bytes of pending_ that CheckHeadBytes has seen
  uint64_t wire_bytes_ = 0;
  std::string head_;
  HttpRequest request_;
  HeadFraming framing_;
  Refusal refusal_;
  std::unique_ptr<Body> body_;
};

}  // namespace ringlet::http
