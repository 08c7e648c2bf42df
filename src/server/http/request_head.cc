#include "server/http/request_head.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace ringlet::http {
namespace {

Refusal Bad(std::string message) { return {400, std::move(message)}; }

bool IsTokenByte(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenByte);
}

bool IsVisible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view TrimSpaces(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Takes the next line, without its end; every line of a checked head ends with CR LF.
std::string_view TakeLine(std::string_view& rest) {
  const size_t end = std::min(rest.find("\r\n"), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 2, rest.size()));
  return line;
}

std::optional<Refusal> ParseTarget(std::string_view target, HttpRequest& request) {
  if (target.empty() || !IsVisible(target) || target.find('#') != std::string_view::npos) {
    return Bad("the request's target is not a path: " + Quote(target));
  }
  constexpr std::string_view kScheme = "http://";
  if (SameIgnoringCase(target.substr(0, kScheme.size()), kScheme)) {
    target.remove_prefix(kScheme.size());
    const size_t path = std::min(target.find_first_of("/?"), target.size());
    if (path == 0) return Bad("the request's target names no host");
    target.remove_prefix(path);
    if (!target.starts_with('/')) request.path = "/";
  }
  const size_t question = std::min(target.find('?'), target.size());
  request.path += target.substr(0, question);
  if (question < target.size()) request.query = target.substr(question + 1);
  const bool star = request.path == "*" && request.method == "OPTIONS";
  if (!star && !request.path.starts_with('/')) {
    return Bad("the request's target is not a path: " + Quote(target));
  }
  return std::nullopt;
}

std::optional<Refusal> ParseRequestLine(std::string_view line, HttpRequest& request) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Bad("the request line is not METHOD TARGET VERSION: " + Quote(line));
  }
  request.method = line.substr(0, first);
  if (!IsToken(request.method) || request.method.size() > 32) {
    return Bad("not a method: " + Quote(request.method));
  }
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Bad("version: found " + Quote(version) + ", expected HTTP/1.1 or HTTP/1.0");
  }
  request.minor_version = version.back() - '0';
  return ParseTarget(line.substr(first + 1, last - first - 1), request);
}

std::optional<Refusal> ParseHeaders(std::string_view rest, size_t max_count, HttpRequest& request) {
  while (true) {
    const std::string_view line = TakeLine(rest);
    if (line.empty()) return std::nullopt;
    if (request.headers.size() == max_count) {
      return Refusal{431, "more than " + std::to_string(max_count) + " headers"};
    }
    const size_t colon = std::min(line.find(':'), line.size());
    if (colon == line.size() || !IsToken(line.substr(0, colon))) {
      return Bad("not a header: " + Quote(line));
    }
    request.headers.emplace_back(line.substr(0, colon), TrimSpaces(line.substr(colon + 1)));
  }
}

size_t CountHeaders(const HttpRequest& request, std::string_view name) {
  return static_cast<size_t>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [&](const auto& header) { return SameIgnoringCase(header.first, name); }));
}

std::optional<Refusal> CheckHost(const HttpRequest& request) {
  const size_t hosts = CountHeaders(request, "Host");
  if (hosts > 1) return Bad("more than one Host header");
  if (hosts == 0 && request.minor_version == 1) return Bad("no Host header");
  const std::string_view host = request.Header("Host");
  if (!IsVisible(host) || host.find_first_of("/?#@\\,") != std::string_view::npos) {
    return Bad("Host: found " + Quote(host) + ", expected a host and a port");
  }
  return std::nullopt;
}

std::optional<Refusal> ReadLength(const HttpRequest& request, HeadFraming& framing) {
  const size_t lengths = CountHeaders(request, "Content-Length");
  const size_t encodings = CountHeaders(request, "Transfer-Encoding");
  if (lengths > 1) return Bad("more than one Content-Length header");
  if (encodings > 1) return Bad("more than one Transfer-Encoding header");
  if (lengths == 1 && encodings == 1) return Bad("both Content-Length and Transfer-Encoding");
  if (encodings == 1) {
    const std::string_view encoding = request.Header("Transfer-Encoding");
    if (request.minor_version == 0) return Bad("Transfer-Encoding in HTTP/1.0");
    if (!SameIgnoringCase(encoding, "chunked")) {
      return Bad("Transfer-Encoding: found " + Quote(encoding) + ", expected chunked");
    }
    framing.chunked = true;
  }
  if (lengths == 1) {
    const std::string_view text = request.Header("Content-Length");
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), framing.content_length);
    // 18 digits: sums with other lengths cannot overflow.
    if (text.empty() || text.size() > 18 || error != std::errc() ||
        end != text.data() + text.size()) {
      return Bad("Content-Length: found " + Quote(text) + ", expected a number");
    }
  }
  return std::nullopt;
}

bool ListHas(const HttpRequest& request, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : request.headers) {
    if (!SameIgnoringCase(key, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      if (SameIgnoringCase(TrimSpaces(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

}  // namespace

std::optional<Refusal> CheckHeadBytes(std::string_view head, size_t from) {
  for (size_t i = from; i < head.size(); ++i) {
    const auto byte = static_cast<unsigned char>(head[i]);
    const bool after_return = i > 0 && head[i - 1] == '\r';
    if ((byte == '\n') != after_return) return Bad("a line that does not end with CR LF");
    if (byte == '\t' || byte == '\r' || byte == '\n') continue;
    if (byte < 0x20 || byte == 0x7f) return Bad("a control byte in the head");
  }
  return std::nullopt;
}

std::optional<Refusal> ParseHead(std::string_view head, const HeadLimits& limits,
                                 HttpRequest& request, HeadFraming& framing) {
  if (head.size() > limits.header_bytes) return Refusal{431, "the headers are too long"};
  const std::string_view line = TakeLine(head);
  if (line.size() > limits.request_line_bytes) return Refusal{414, "the target is too long"};
  if (auto bad = ParseRequestLine(line, request)) return bad;
  if (auto bad = ParseHeaders(head, limits.header_count, request)) return bad;
  if (auto bad = CheckHost(request)) return bad;
  if (auto bad = ReadLength(request, framing)) return bad;
  // Streams to a client of HTTP/1.0 end with the connection, so none of its connections is kept.
  framing.keep_alive = request.minor_version == 1 && !ListHas(request, "Connection", "close");
  const std::string_view expect = request.Header("Expect");
  if (!expect.empty() && request.minor_version == 1) {
    if (!SameIgnoringCase(expect, "100-continue")) {
      return Refusal{417, "Expect: found " + Quote(expect) + ", expected 100-continue"};
    }
    framing.expects_continue = framing.chunked || framing.content_length > 0;
  }
  return std::nullopt;
}

}  // namespace ringlet::http
