#include "server/http/response_parser.h"

#include <boost/beast/http/parser.hpp>
#include <utility>

#include "server/http/growing_body.h"

namespace ringlet::http {
namespace {

namespace beast = boost::beast;

constexpr uint32_t kMaxHead = 64 << 10;

}  // namespace

struct ResponseParser::Parser {
  beast::http::response_parser<GrowingBody> beast;
};

ResponseParser::ResponseParser(bool to_head) : to_head_(to_head) {}
ResponseParser::~ResponseParser() = default;

Status ResponseParser::Append(std::string_view bytes, std::string& body) {
  pending_ += bytes;
  size_t used = 0;
  beast::error_code error;
  while (!done_ && !error && used < pending_.size()) {
    if (!parser_) {
      parser_ = std::make_unique<Parser>();
      parser_->beast.header_limit(kMaxHead);
      parser_->beast.body_limit(boost::none);
      parser_->beast.skip(to_head_);
    }
    const size_t n = parser_->beast.put(
        boost::asio::buffer(pending_.data() + used, pending_.size() - used), error);
    used += n;
    if (parser_->beast.is_header_done() && code_ == 0) TakeHead();
    if (!parser_) continue;
    body += std::exchange(parser_->beast.get().body(), {});
    done_ = parser_->beast.is_done();
    if (n == 0) break;
  }
  pending_.erase(0, used);
  if (error && error != beast::http::error::need_more) {
    return Status(StatusCode::kInvalidInput, "malformed response: " + error.message());
  }
  if (pending_.size() > kMaxHead) {
    return Status(StatusCode::kInvalidInput, "malformed response: a head that does not end");
  }
  return Status::Ok();
}

void ResponseParser::TakeHead() {
  const auto& message = parser_->beast.get();
  if (message.result_int() / 100 == 1) return parser_.reset();
  code_ = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    headers_.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
}

Status ResponseParser::End() {
  beast::error_code error = beast::http::error::partial_message;
  if (parser_ && has_head()) parser_->beast.put_eof(error);
  if (error) return Status(StatusCode::kIo, "the connection closed within the response");
  done_ = true;
  return Status::Ok();
}

bool ResponseParser::keep_alive() const {
  return done_ && parser_ && parser_->beast.keep_alive() && pending_.empty();
}

}  // namespace ringlet::http
