// An answer as bytes of HTTP/1.1.
#pragma once

#include <string>
#include <string_view>

#include "server/http/message.h"

namespace ringlet::http {

// "Sun, 06 Nov 1994 08:49:37 GMT": the form of a Date header. `seconds` since 1970.
std::string HttpDate(int64_t seconds);

// What the framing of an answer depends on besides the answer.
struct AnswerContext {
  bool head_request = false;  // HEAD: nothing follows the head
  int minor_version = 1;      // 0: a stream ends with the connection
  bool keep_alive = true;
  std::string_view date;
};

// Frames one answer. Must outlive its stream.
class AnswerEncoder {
 public:
  // The head of a response with a body of `body_bytes`.
  std::string Head(const HttpResponse& response, size_t body_bytes, const AnswerContext& context);
  // The head of a stream.
  std::string StreamHead(const HttpResponse& response, const AnswerContext& context);

  // Appends the framed bytes of the body; nothing where there is none (HEAD, 204, 304).
  void Body(std::string_view bytes, std::string& out) const;
  // Appends the end of the body.
  void End(std::string& out) const;

  bool has_body() const { return has_body_; }
  // Whether Body() adds anything to the bytes; without, they may be sent as they are.
  bool frames() const { return chunked_; }

 private:
  std::string Begin(const HttpResponse& response, const AnswerContext& context);

  bool has_body_ = false;
  bool chunked_ = false;
};

}  // namespace ringlet::http
