#include "cli/bench_lists.h"

#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace ringlet::cli {
namespace {

// The whole of `text` as a number in [least, most].
std::optional<int64_t> Number(std::string_view text, int64_t least, int64_t most) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || value < least || value > most) return std::nullopt;
  return value;
}

std::vector<std::string_view> Entries(std::string_view text) {
  std::vector<std::string_view> entries;
  if (text == "none") return entries;
  while (true) {
    const size_t comma = text.find(',');
    entries.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return entries;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<std::vector<int64_t>> ParseNumbers(const std::string& option, const std::string& text,
                                          int64_t least, int64_t most) {
  std::vector<int64_t> values;
  for (const std::string_view entry : Entries(text)) {
    const auto value = Number(entry, least, most);
    if (!value) {
      return BadInput(option, "", text,
                      fmt::format("integers from {} to {} between commas, or none", least, most));
    }
    values.push_back(*value);
  }
  return values;
}

Result<std::vector<Prompt>> ParsePrompts(const std::string& option, const std::string& text,
                                         int64_t most) {
  std::vector<Prompt> prompts;
  for (const std::string_view entry : Entries(text)) {
    const size_t at = entry.find('@');
    const auto tokens = Number(entry.substr(0, at), 1, most);
    const auto depth = at == std::string_view::npos ? 0 : Number(entry.substr(at + 1), 0, most);
    if (!tokens || !depth) {
      return BadInput(
          option, "", text,
          fmt::format("lengths from 1 to {}, or LENGTH@DEPTH, between commas, or none", most));
    }
    prompts.push_back({*tokens, *depth});
  }
  return prompts;
}

}  // namespace ringlet::cli
