// How far each next token would go on with something that the text has said before.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/token_set.h"

namespace ringlet {

// Not thread-safe; keeps its memory between calls.
class RepetitionFinder {
 public:
  // Element i: how many tokens before tokens[i] equal the last ones of `tokens`, so that drawing
  // tokens[i] would repeat that many and itself. The run may overlap the end; it reaches neither
  // across a breaker nor before the first token, and element 0 is 0. Time and memory are linear in
  // the number of tokens. Valid until the next call.
  std::span<const int32_t> Find(std::span<const int32_t> tokens, const TokenSet* breakers);

 private:
  std::vector<int32_t> lengths_;
};

}  // namespace ringlet
