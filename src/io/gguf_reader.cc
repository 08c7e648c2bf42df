#include "io/gguf_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "io/limits.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

constexpr uint64_t kMaxHeaderBytes = uint64_t{1} << 28;

}  // namespace

Status GgufReader::Short(std::string_view field, uint64_t needed) const {
  return Bad(field, fmt::format("{} bytes left at byte {}", remaining(), position()),
             fmt::format("{} more", needed));
}

Status GgufReader::ReadString(std::string_view field, std::string_view* text) {
  uint64_t length = 0;
  RINGLET_RETURN_IF_ERROR(Read(field, &length));
  return ReadText(field, length, text);
}

Status GgufReader::ReadName(std::string_view field, std::string* name) {
  std::string_view text;
  RINGLET_RETURN_IF_ERROR(ReadString(field, &text));
  if (text.empty()) return Bad(field, "an empty name", "a name");
  if (text.size() > kMaxNameBytes) {
    return Bad(field, fmt::format("a name of {} bytes", text.size()),
               fmt::format("at most {}", kMaxNameBytes));
  }
  if (text.find('\0') != std::string_view::npos || ValidUtf8Prefix(text) != text.size()) {
    return Bad(field, Quote(text), "UTF-8 without NUL");
  }
  name->assign(text);
  return Status::Ok();
}

Status GgufReader::CheckCount(std::string_view field, uint64_t count, uint64_t limit,
                              uint64_t min_bytes) const {
  const uint64_t room = std::min(limit, remaining() / min_bytes);
  if (count <= room) return Status::Ok();
  const std::string left = room == limit ? "" : fmt::format(" in the {} bytes left", remaining());
  return Bad(field, fmt::to_string(count), fmt::format("at most {}{}", room, left));
}

Status GgufReader::CheckHeaderSize() const {
  if (position() <= kMaxHeaderBytes) return Status::Ok();
  return Bad("header", fmt::format("{} bytes and more", position()),
             fmt::format("at most {}", kMaxHeaderBytes));
}

}  // namespace ringlet
