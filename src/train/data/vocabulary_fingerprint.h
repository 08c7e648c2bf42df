// VocabularyFingerprint: recognises the tokenizer that made token ids.
#pragma once

#include <cstdint>

#include "io/tokenizer.h"

namespace ringlet {

// A hash of what every id means: its bytes, and whether it is special. Stable across runs and
// machines.
uint64_t VocabularyFingerprint(const Tokenizer& tokenizer);

}  // namespace ringlet
