// Requests and responses of HTTP/1.1 as plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringlet {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The value of the first header of that name, in any case of letters; empty when there is none.
std::string_view FindHeader(const HttpHeaders& headers, std::string_view name);

bool SameIgnoringCase(std::string_view a, std::string_view b);

struct HttpRequest {
  std::string method;
  std::string path;       // as sent, still percent-encoded; begins with '/', or is "*" (of OPTIONS)
  std::string query;      // what follows the first '?', as sent
  int minor_version = 1;  // HTTP/1.<this>: 0 or 1
  HttpHeaders headers;    // as sent, without the spaces around values
  std::string body;       // without the chunks' framing
  std::string remote;     // "address:port" of the peer

  std::string_view Header(std::string_view name) const { return FindHeader(headers, name); }
};

// Headers that frame the message (Content-Length, Transfer-Encoding, Connection, Date) are the
// server's: given here, they are left out. Bytes that would end a header line become spaces.
struct HttpResponse {
  int status = 200;
  std::string content_type;  // empty: no such header
  std::string body;
  HttpHeaders headers;
};

// "Not Found" for 404; empty for a status without a name.
std::string_view HttpReason(int status);

// An error in the shape of OpenAI's API: {"error": {"message", "type", "param", "code"}}. The type
// follows from the status; an empty param or code is null. Invalid UTF-8 is replaced.
HttpResponse HttpError(int status, std::string_view message, std::string_view code = {},
                       std::string_view param = {});

// "%2F" to "/" and so on; nothing for a '%' without two hexadecimal digits, or for an encoded NUL.
std::optional<std::string> PercentDecode(std::string_view text);

}  // namespace ringlet
