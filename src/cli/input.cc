#include "cli/input.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "base/file.h"
#include "base/json.h"

namespace ringlet::cli {
namespace {

constexpr size_t kMaxStdin = size_t{1} << 30;

}  // namespace

Result<std::string> ReadStdin() {
  std::string text;
  std::array<char, 65536> block;
  while (const size_t got = std::fread(block.data(), 1, block.size(), stdin)) {
    text.append(block.data(), got);
    if (text.size() > kMaxStdin) {
      return BadInput("standard input", "", "more than 1 GiB", "a shorter text");
    }
  }
  if (std::ferror(stdin) != 0) {
    return Status(StatusCode::kIo, fmt::format("standard input: {}", std::strerror(errno)));
  }
  return text;
}

Result<std::string> ReadFileOrStdin(const std::string& path) {
  return path == "-" ? ReadStdin() : ReadFile(path);
}

Result<std::string> ReadText(const std::optional<std::string>& text,
                             const std::optional<std::string>& path) {
  if (text) return *text;
  return ReadFileOrStdin(path.value_or("-"));
}

Result<std::vector<int32_t>> ParseTokenIds(std::string_view text, std::string_view source,
                                           int64_t vocab) {
  RINGLET_ASSIGN_OR_RETURN(const Json json, ParseJson(text, source));
  if (!json.is_array()) {
    return BadInput(source, "", JsonTypeName(json), "an array of token ids");
  }
  if (json.empty()) return BadInput(source, "", "an empty array", "at least one token id");
  std::vector<int32_t> ids;
  ids.reserve(json.size());
  for (const Json& item : json) {
    const bool small =
        item.is_number_unsigned() && item.get<uint64_t>() < static_cast<uint64_t>(vocab);
    if (!small) {
      return BadInput(source, fmt::format("[{}]", ids.size()), JsonBrief(item),
                      fmt::format("a token id from 0 to {}", vocab - 1));
    }
    ids.push_back(item.get<int32_t>());
  }
  return ids;
}

}  // namespace ringlet::cli
