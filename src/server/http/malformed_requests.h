// For tests: requests that are no HTTP, that two readers could cut differently, or that exceed a
// limit, and what they get. None is let through, and none is the server's fault (5xx).
#pragma once

#include <string>
#include <vector>

namespace ringlet {

struct MalformedRequest {
  const char* name;
  std::string bytes;
  int status = 400;
};

inline std::vector<MalformedRequest> MalformedRequests() {
  const std::string host = "Host: x\r\n";
  const auto head = [&](const std::string& lines) {
    return "POST / HTTP/1.1\r\n" + host + lines + "\r\n";
  };
  const std::string chunked = head("Transfer-Encoding: chunked\r\n");
  using namespace std::string_literals;
  std::string many;
  for (int i = 0; i < 101; ++i) many += "a" + std::to_string(i) + ": b\r\n";
  return {
      {"no version", "GET /\r\n" + host + "\r\n"},
      {"only a method", "GET\r\n\r\n"},
      {"empty lines", "\r\n\r\n\r\n\r\n"},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"HTTP/1.2", "GET / HTTP/1.2\r\n" + host + "\r\n"},
      {"HTTP/0.9", "GET / HTTP/0.9\r\n" + host + "\r\n"},
      {"HTTP/1.10", "GET / HTTP/1.10\r\n" + host + "\r\n"},
      {"lower case version", "GET / http/1.1\r\n" + host + "\r\n"},
      {"space after the version", "GET / HTTP/1.1 \r\n" + host + "\r\n"},
      {"two spaces", "GET  / HTTP/1.1\r\n" + host + "\r\n"},
      {"tab for space", "GET\t/ HTTP/1.1\r\n" + host + "\r\n"},
      {"space before the method", " GET / HTTP/1.1\r\n" + host + "\r\n"},
      {"bad method", "G@T / HTTP/1.1\r\n" + host + "\r\n"},
      {"long method", std::string(40, 'A') + " / HTTP/1.1\r\n" + host + "\r\n"},
      {"CONNECT", "CONNECT x:80 HTTP/1.1\r\n" + host + "\r\n"},
      {"relative target", "GET index HTTP/1.1\r\n" + host + "\r\n"},
      {"star for GET", "GET * HTTP/1.1\r\n" + host + "\r\n"},
      {"URL without host", "GET http:///x HTTP/1.1\r\n" + host + "\r\n"},
      {"https URL", "GET https://x/ HTTP/1.1\r\n" + host + "\r\n"},
      {"fragment", "GET /#a HTTP/1.1\r\n" + host + "\r\n"},
      {"byte above 127 in the target", "GET /\xC3\xA9 HTTP/1.1\r\n" + host + "\r\n"},
      {"NUL in the target", "GET /\0x HTTP/1.1\r\n"s + host + "\r\n"},
      {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s},
      {"line ends of LF", "GET / HTTP/1.1\nHost: x\n\n"},
      {"one line end of LF", "GET / HTTP/1.1\r\nHost: x\n\r\n"},
      {"CR within a line", "GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n"},
      {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n"},
      {"no Host", "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"},
      {"Host with a user", "GET / HTTP/1.1\r\nHost: a@x\r\n\r\n"},
      {"Host with a space", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n"},
      {"space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"},
      {"header without a colon", head("abc\r\n")},
      {"header without a name", head(": abc\r\n")},
      {"space in a name", head("a b: c\r\n")},
      {"folded header", head("a: b\r\n c\r\n")},
      {"folded with a tab", head("a: b\r\n\tc\r\n")},
      {"header before Host is folded", "GET / HTTP/1.1\r\n Host: x\r\n\r\n"},
      {"control byte in a value", head("a: b\x01\r\n")},
      {"NUL in a value", head("a: b\0\r\n"s)},
      {"DEL in a value", head("a: b\x7f\r\n")},
      {"byte above 127 in a name", head("\xC3\xA9: b\r\n")},
      {"two equal lengths", head("Content-Length: 1\r\nContent-Length: 1\r\n") + "a"},
      {"two lengths", head("Content-Length: 1\r\nContent-Length: 2\r\n") + "ab"},
      {"list of lengths", head("Content-Length: 1, 1\r\n") + "a"},
      {"negative length", head("Content-Length: -1\r\n")},
      {"length with a plus", head("Content-Length: +1\r\n") + "a"},
      {"hexadecimal length", head("Content-Length: 0x1\r\n") + "a"},
      {"length with a space", head("Content-Length: 1 2\r\n") + "a"},
      {"empty length", head("Content-Length:\r\n")},
      {"length beyond 64 bits", head("Content-Length: 18446744073709551617\r\n") + "a"},
      {"length and chunks",
       head("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"},
      {"chunks and length",
       head("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n") + "0\r\n\r\n"},
      {"chunked twice", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
      {"list of codings", head("Transfer-Encoding: gzip, chunked\r\n")},
      {"chunked in a list twice", head("Transfer-Encoding: chunked, chunked\r\n")},
      {"unknown coding", head("Transfer-Encoding: xchunked\r\n")},
      {"identity", head("Transfer-Encoding: identity\r\n")},
      {"vertical tab before chunked", head("Transfer-Encoding: \x0b"
                                           "chunked\r\n")},
      {"chunks in HTTP/1.0",
       "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"unknown expectation", head("Expect: tea\r\n"), 417},
      {"bad chunk size", chunked + "g\r\n\r\n"},
      {"no chunk size", chunked + "\r\n\r\n"},
      {"negative chunk size", chunked + "-1\r\n\r\n"},
      {"chunk size beyond 64 bits", chunked + "10000000000000001\r\na\r\n0\r\n\r\n"},
      {"chunk size with a space", chunked + " 1\r\na\r\n0\r\n\r\n"},
      {"chunk longer than its size", chunked + "1\r\nab\r\n0\r\n\r\n"},
      {"chunk line of LF", chunked + "1\na\r\n0\r\n\r\n"},
      {"bad chunk extension", chunked + "1;=\r\na\r\n0\r\n\r\n"},
      {"endless chunk extension", chunked + "1;" + std::string(20000, 'a')},
      {"bad trailer", chunked + "0\r\na b\r\n\r\n"},
      {"length in a trailer", chunked + "0\r\nContent-Length: 3\r\n\r\n"},
      {"long request line", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host + "\r\n",
       414},
      {"endless request line", "GET /" + std::string(9000, 'a'), 414},
      {"long headers", head("a: " + std::string(17000, 'b') + "\r\n"), 431},
      {"endless headers", "GET / HTTP/1.1\r\na: " + std::string(17000, 'b'), 431},
      {"many headers", head(many), 431},
      {"body beyond the limit", head("Content-Length: 999999999\r\n"), 413},
      {"chunk beyond the limit", chunked + "3b9ac9ff\r\n", 413},
  };
}

}  // namespace ringlet
