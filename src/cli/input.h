// Text and token lists from options, files and stdin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ringlet::cli {

// Everything on stdin; at most 1 GiB.
Result<std::string> ReadStdin();

// A file, or stdin for "-".
Result<std::string> ReadFileOrStdin(const std::string& path);

// The text of -p, else of -f, else stdin.
Result<std::string> ReadText(const std::optional<std::string>& text,
                             const std::optional<std::string>& path);

// A JSON array of token ids, each in [0, vocab); `source` names it in errors, which name the index.
Result<std::vector<int32_t>> ParseTokenIds(std::string_view json, std::string_view source,
                                           int64_t vocab);

}  // namespace ringlet::cli
