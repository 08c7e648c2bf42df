#include "server/http/sse.h"

#include <algorithm>
#include <utility>

namespace ringlet {
namespace {

void AppendField(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += name;
  out += ": ";
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') out += c;
  }
  out += '\n';
}

}  // namespace

std::string FormatSseEvent(std::string_view data, std::string_view type, std::string_view id) {
  std::string out;
  out.reserve(data.size() + 32);
  AppendField(out, "event", type);
  AppendField(out, "id", id);
  while (true) {
    const size_t end = std::min(data.find_first_of("\r\n"), data.size());
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == data.size()) break;
    data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  return out + '\n';
}

void SseParser::Append(std::string_view bytes, std::vector<SseEvent>& out) {
  while (!bytes.empty() && !failed_) {
    if (after_return_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_return_ = false;
    const size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    line_ += bytes.substr(0, end);
    failed_ = line_.size() + data_.size() > max_bytes_;
    if (end == bytes.size()) return;
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (!failed_) OnLine(out);
  }
}

void SseParser::OnLine(std::vector<SseEvent>& out) {
  std::string_view line = line_;
  if (std::exchange(first_line_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  if (line.empty()) {
    if (std::exchange(has_data_, false)) out.push_back({type_, std::move(data_), id_});
    data_.clear();
    type_.clear();
  } else {
    const size_t colon = std::min(line.find(':'), line.size());
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    OnField(line.substr(0, colon), value);
  }
  line_.clear();
}

// A comment is a field without a name.
void SseParser::OnField(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (std::exchange(has_data_, true)) data_ += '\n';
    data_ += value;
  } else if (name == "event") {
    type_ = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    id_ = value;
  }
}

}  // namespace ringlet
