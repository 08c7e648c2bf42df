// Server-sent events, as the HTML standard defines text/event-stream.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

struct SseEvent {
  std::string type;  // empty: "message"
  std::string data;
  std::string id;  // of this event or the last one that had an id
};

// One event as bytes. Each line of `data` becomes a line of the event; line ends CR and CR LF
// arrive as LF. Line ends within `type` and `id` are left out.
std::string FormatSseEvent(std::string_view data, std::string_view type = {},
                           std::string_view id = {});

// Events cut from a stream of bytes; how the bytes were cut into calls makes no difference.
class SseParser {
 public:
  // An event or line of more bytes than this is dropped and the parser stops (failed()).
  explicit SseParser(size_t max_event_bytes = size_t{16} << 20) : max_bytes_(max_event_bytes) {}

  // Appends the events that are complete to `out`. What the stream's end cuts off is no event.
  void Append(std::string_view bytes, std::vector<SseEvent>& out);
  bool failed() const { return failed_; }

 private:
  void OnLine(std::vector<SseEvent>& out);
  void OnField(std::string_view name, std::string_view value);

  size_t max_bytes_;
  bool failed_ = false;
  bool first_line_ = true;
  bool after_return_ = false;  // a CR ended the line; LF belongs to it
  bool has_data_ = false;
  std::string line_;
  std::string type_;
  std::string data_;
  std::string id_;
};

}  // namespace ringlet
