#include "io/grammar/schema_formats.h"

#include <fmt/format.h>

namespace ringlet::grammar {
namespace {

std::string Date() {
  const std::string_view leap_years =
      "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)";
  return fmt::format(
      "(?:[0-9]{{4}}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"
      "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|{}-02-29)",
      leap_years);
}

std::string Time() {
  const std::string_view hours = "(?:[01][0-9]|2[0-3])";
  return fmt::format("{0}:[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{{1,9}})?(?:Z|[+-]{0}:[0-5][0-9])",
                     hours);
}

std::string Duration() {
  const std::string seconds = "[0-9]+S";
  const std::string minutes = fmt::format("[0-9]+M(?:{})?", seconds);
  const std::string hours = fmt::format("[0-9]+H(?:{})?", minutes);
  const std::string time = fmt::format("T(?:{}|{}|{})", hours, minutes, seconds);
  const std::string days = "[0-9]+D";
  const std::string months = fmt::format("[0-9]+M(?:{})?", days);
  const std::string years = fmt::format("[0-9]+Y(?:{})?", months);
  return fmt::format("P(?:(?:{}|{}|{})(?:{})?|{}|[0-9]+W)", years, months, days, time, time);
}

std::string Ipv4() {
  const std::string_view octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  return fmt::format("{0}\\.{0}\\.{0}\\.{0}", octet);
}

// RFC 4291: eight groups, or "::" for at least one of them. `before` groups and then up to
// 7 - before ones, the last two of which may be an IPv4 address.
std::string Ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  const std::string last = fmt::format("(?:{0}:{0}|{1})", group, Ipv4());
  std::string out = fmt::format("(?:(?:{}:){{6}}{}", group, last);
  for (int after = 7; after >= 0; --after) {  // groups after "::"
    const int before = 7 - after;
    const std::string head = before == 0
                                 ? std::string("::")
                                 : fmt::format("(?:{0}(?::{0}){{0,{1}}})?::", group, before - 1);
    const std::string tail = after >= 2   ? fmt::format("(?:{}:){{{}}}{}", group, after - 2, last)
                             : after == 1 ? group
                                          : std::string();
    out += "|" + head + tail;
  }
  return out + ")";
}

// Of one to 63 characters; no label of this form is an internationalized one.
constexpr std::string_view kLabel = "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,31}";

std::string HostName() { return fmt::format("{0}(?:\\.{0}){{0,2}}", kLabel); }

// The local part has at most 64 characters (RFC 5321).
std::string Email() {
  const std::string_view atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}";
  return fmt::format("{0}(?:\\.{0}){{0,2}}@{1}", atom, HostName());
}

std::string Uri() {
  const std::string_view pchar = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
  return fmt::format(
      "[A-Za-z][A-Za-z0-9+.-]*://{0}(?::[0-9]{{1,5}})?(?:/{1}*)*(?:\\?(?:{1}|[/?])*)?"
      "(?:#(?:{1}|[/?])*)?",
      HostName(), pchar);
}

}  // namespace

std::optional<std::string> FormatPattern(std::string_view format) {
  std::string body;
  if (format == "date") body = Date();
  if (format == "time") body = Time();
  if (format == "date-time") body = Date() + "T" + Time();
  if (format == "duration") body = Duration();
  if (format == "ipv4") body = Ipv4();
  if (format == "ipv6") body = Ipv6();
  if (format == "hostname") body = HostName();
  if (format == "email") body = Email();
  if (format == "uri") body = Uri();
  if (format == "uuid") {
    body = "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}";
  }
  if (format == "json-pointer") body = "(?:/(?:[^~/]|~[01])*)*";
  if (body.empty()) return std::nullopt;
  return "^" + body + "$";
}

}  // namespace ringlet::grammar
