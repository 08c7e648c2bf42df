#include "server/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>
#include <utility>

#include "server/http/growing_body.h"

namespace ringlet::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

// A chunk's header or the trailers, which Beast wants to see whole.
constexpr size_t kMaxChunkHeader = 16384;

}  // namespace

struct RequestParser::Body {
  beast::http::request_parser<GrowingBody> parser;
};

RequestParser::RequestParser(const HeadLimits& limits, uint64_t max_body_bytes)
    : limits_(limits), max_body_bytes_(max_body_bytes) {}

RequestParser::~RequestParser() = default;

ParseStep RequestParser::Next() {
  switch (state_) {
    case State::kBegin:
      request_ = {};
      framing_ = {};
      if (pending_.empty() || pending_ == "\r") return ParseStep::kMore;
      // One empty line may precede a request (RFC 9112, 2.2).
      if (pending_.starts_with("\r\n")) pending_.erase(0, 2);
      return ReadHead();
    case State::kHead:
      return ReadHead();
    case State::kBody:
      return ReadBody();
    case State::kFailed:
      break;
  }
  return ParseStep::kFailed;
}

ParseStep RequestParser::Fail(Refusal refusal) {
  state_ = State::kFailed;
  refusal_ = std::move(refusal);
  body_.reset();
  pending_.clear();
  return ParseStep::kFailed;
}

ParseStep RequestParser::ReadHead() {
  state_ = State::kHead;
  const size_t from = checked_ < 3 ? 0 : checked_ - 3;
  const size_t end = pending_.find("\r\n\r\n", from);
  const bool whole = end != std::string::npos;
  const size_t known = whole ? end + 4 : pending_.size();
  if (auto bad = CheckHeadBytes(std::string_view(pending_).substr(0, known), checked_)) {
    return Fail(std::move(*bad));
  }
  checked_ = known;
  if (!whole) {
    if (known > limits_.request_line_bytes && pending_.find("\r\n") > limits_.request_line_bytes) {
      return Fail({414, "the request line is too long"});
    }
    if (known > limits_.header_bytes) return Fail({431, "the headers are too long"});
    return ParseStep::kMore;
  }
  head_ = pending_.substr(0, known);
  pending_.erase(0, known);
  checked_ = 0;
  if (auto bad = ParseHead(head_, limits_, request_, framing_)) return Fail(std::move(*bad));
  return BeginBody();
}

// Beast reads the head too, and frames the body; a head that it refuses is refused.
ParseStep RequestParser::BeginBody() {
  body_ = std::make_unique<Body>();
  auto& parser = body_->parser;
  parser.header_limit(std::numeric_limits<uint32_t>::max());
  parser.body_limit(boost::none);
  beast::error_code error;
  parser.put(asio::buffer(head_), error);
  head_.clear();
  if (error || !parser.is_header_done() || parser.chunked() != framing_.chunked ||
      parser.content_length().value_or(0) != framing_.content_length) {
    return Fail({400, "the head is malformed"});
  }
  parser.body_limit(max_body_bytes_);
  wire_bytes_ = 0;
  state_ = State::kBody;
  return ParseStep::kHead;
}

ParseStep RequestParser::ReadBody() {
  auto& parser = body_->parser;
  beast::error_code error;
  if (framing_.content_length > max_body_bytes_) error = beast::http::error::body_limit;
  size_t used = 0;
  while (!error && !parser.is_done() && used < pending_.size()) {
    const size_t n =
        parser.put(asio::buffer(pending_.data() + used, pending_.size() - used), error);
    used += n;
    if (n == 0) break;
  }
  pending_.erase(0, used);
  wire_bytes_ += used;
  // Chunks of one byte take six; extensions of chunks are nothing that a client needs.
  if (error == beast::http::error::body_limit ||
      wire_bytes_ / 8 > max_body_bytes_ + kMaxChunkHeader) {
    return Fail({413, "the body is longer than " + std::to_string(max_body_bytes_) + " bytes"});
  }
  if (error && error != beast::http::error::need_more) return Fail({400, "the body is malformed"});
  if (!parser.is_done()) {
    if (pending_.size() > kMaxChunkHeader) return Fail({400, "a chunk's header is too long"});
    return ParseStep::kMore;
  }
  request_.body = std::move(parser.get().body());
  body_.reset();
  state_ = State::kBegin;
  return ParseStep::kDone;
}

uint64_t RequestParser::body_bytes() const {
  return body_ ? body_->parser.get().body().size() : request_.body.size();
}

}  // namespace ringlet::http
