// Lists as the options of `ringlet bench` take them: entries between commas, or "none".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace ringlet::cli {

// "512,2048": integers from `least` to `most`.
Result<std::vector<int64_t>> ParseNumbers(const std::string& option, const std::string& text,
                                          int64_t least, int64_t most);

// `tokens` tokens of a prompt after a context of `depth`.
struct Prompt {
  int64_t tokens = 0;
  int64_t depth = 0;
};

// "2048,512@65536": lengths, and after an @ the depth [0].
Result<std::vector<Prompt>> ParsePrompts(const std::string& option, const std::string& text,
                                         int64_t most);

}  // namespace ringlet::cli
