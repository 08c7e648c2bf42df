#include "server/http/answer_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace ringlet::http {
namespace {

// They frame the message, or belong to the connection.
constexpr std::array<std::string_view, 8> kOwnHeaders = {
    "Connection", "Content-Length", "Date",    "Keep-Alive",
    "TE",         "Trailer",        "Upgrade", "Transfer-Encoding"};

bool IsOwnHeader(std::string_view name) {
  return std::any_of(kOwnHeaders.begin(), kOwnHeaders.end(),
                     [&](std::string_view own) { return SameIgnoringCase(own, name); });
}

bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > 0x20 && c < 0x7f &&
           std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
  });
}

// A value may come from a request: it must not begin another line.
void AppendHeader(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  for (const char c : value) {
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  out += "\r\n";
}

bool StatusHasBody(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

std::string HttpDate(int64_t seconds) {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto time = static_cast<std::time_t>(seconds);
  std::tm tm{};
  gmtime_r(&time, &tm);
  return fmt::format(
      "{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<size_t>(tm.tm_wday)], tm.tm_mday,
      kMonths[static_cast<size_t>(tm.tm_mon)], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

std::string AnswerEncoder::Begin(const HttpResponse& response, const AnswerContext& context) {
  has_body_ = StatusHasBody(response.status) && !context.head_request;
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, HttpReason(response.status));
  if (!context.date.empty()) AppendHeader(out, "Date", context.date);
  if (!response.content_type.empty()) AppendHeader(out, "Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) {
    if (IsHeaderName(name) && !IsOwnHeader(name)) AppendHeader(out, name, value);
  }
  if (!context.keep_alive) out += "Connection: close\r\n";
  return out;
}

std::string AnswerEncoder::Head(const HttpResponse& response, size_t body_bytes,
                                const AnswerContext& context) {
  std::string out = Begin(response, context);
  chunked_ = false;
  if (StatusHasBody(response.status)) out += fmt::format("Content-Length: {}\r\n", body_bytes);
  return out + "\r\n";
}

std::string AnswerEncoder::StreamHead(const HttpResponse& response, const AnswerContext& context) {
  std::string out = Begin(response, context);
  chunked_ = context.minor_version >= 1;
  if (chunked_ && StatusHasBody(response.status)) out += "Transfer-Encoding: chunked\r\n";
  return out + "\r\n";
}

void AnswerEncoder::Body(std::string_view bytes, std::string& out) const {
  if (!has_body_ || bytes.empty()) return;
  if (chunked_) fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out += bytes;
  if (chunked_) out += "\r\n";
}

void AnswerEncoder::End(std::string& out) const {
  if (has_body_ && chunked_) out += "0\r\n\r\n";
}

}  // namespace ringlet::http
