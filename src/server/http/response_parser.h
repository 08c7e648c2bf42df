// One response, read from the bytes of a connection.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "server/http/message.h"

namespace ringlet::http {

class ResponseParser {
 public:
  // A response to HEAD has no body, whatever its head says.
  explicit ResponseParser(bool to_head);
  ~ResponseParser();

  // Reads on, and appends to `body` what has arrived of it. Interim responses (1xx) are skipped.
  // kInvalidInput: not HTTP, a head of more than 64 KiB.
  Status Append(std::string_view bytes, std::string& body);
  // The server sent all it will. kIo unless the response is whole then.
  Status End();

  bool has_head() const { return code_ != 0; }
  bool done() const { return done_; }
  // Of a response that is done: whether the connection can be used again.
  bool keep_alive() const;
  int code() const { return code_; }
  const HttpHeaders& headers() const { return headers_; }

 private:
  struct Parser;  // Beast's
  void TakeHead();

  bool to_head_;
  bool done_ = false;
  int code_ = 0;
  HttpHeaders headers_;
  std::string pending_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace ringlet::http
