// The first byte says how the rest is cut, the rest is what a client or a server sends. However it
// is cut, the requests, the response and the events must be the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "server/http/request_parser.h"
#include "server/http/response_parser.h"
#include "server/http/sse.h"

namespace {

using namespace ringlet;

constexpr uint64_t kMaxBody = 4096;

// What was read, as text.
std::string ReadRequests(std::string_view bytes, size_t step) {
  http::RequestParser parser({512, 1024, 20}, kMaxBody);
  std::string out;
  while (!bytes.empty()) {
    parser.Append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (bool more = true; more;) {
      const http::ParseStep parsed = parser.Next();
      more = parsed == http::ParseStep::kHead || parsed == http::ParseStep::kDone;
      RINGLET_CHECK(parser.body_bytes() <= kMaxBody, "a body is bounded");
      if (parsed == http::ParseStep::kDone) {
        const HttpRequest request = parser.TakeRequest();
        out += request.method + " " + request.path + "?" + request.query + "\n" + request.body;
        for (const auto& [name, value] : request.headers) out += name + ": " + value + "\n";
      }
      if (parsed == http::ParseStep::kFailed) {
        const int status = parser.refusal().status;
        RINGLET_CHECK(status >= 400 && status < 500, "a refusal is the client's fault");
        return out + "refused";  // for which fault first depends on the cut
      }
    }
  }
  return out;
}

// Nothing when it is malformed, which may show later in pieces.
std::optional<std::string> ReadResponse(std::string_view bytes, size_t step) {
  http::ResponseParser parser(false);
  SseParser events(4096);
  std::vector<SseEvent> found;
  std::string out;
  bool ok = true;
  while (!bytes.empty() && ok && !parser.done()) {
    std::string body;
    ok = parser.Append(bytes.substr(0, step), body).ok();
    bytes.remove_prefix(std::min(step, bytes.size()));
    events.Append(body, found);
  }
  if (!ok) return std::nullopt;
  for (const SseEvent& event : found) out += event.type + "|" + event.data + "|" + event.id + "\n";
  return out + std::to_string(parser.code()) + (parser.done() ? " done" : "");
}

std::string ReadEvents(std::string_view bytes, size_t step) {
  SseParser parser(4096);
  std::vector<SseEvent> found;
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
    parser.Append(bytes.substr(0, step), found);
  }
  for (const SseEvent& event : found) out += event.type + "|" + event.data + "|" + event.id + "\n";
  return out + (parser.failed() ? "failed" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const size_t step = data[0] % 64 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  RINGLET_CHECK(ReadRequests(bytes, step) == ReadRequests(bytes, bytes.size()), "requests");
  RINGLET_CHECK(ReadEvents(bytes, step) == ReadEvents(bytes, bytes.size()), "events");
  const auto response = ReadResponse(bytes, bytes.size());
  RINGLET_CHECK(!response || response == ReadResponse(bytes, step), "response");
  return 0;
}
