#include "base/text.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>

namespace ringlet {
namespace {

constexpr size_t kQuotedBytes = 60;

}  // namespace

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, kQuotedBytes)) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  if (text.size() > kQuotedBytes) out += "...";
  return out + '"';
}

}  // namespace ringlet
