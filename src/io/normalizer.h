// Unicode normalization of text before it is split (Qwen's tokenizers use NFC).
#pragma once

#include <string>
#include <string_view>

namespace ringlet {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// `text`, which must be valid UTF-8, in the given form. O(n log n) for any input, long runs of
// combining marks included.
std::string NormalizeUtf8(std::string_view text, NormalForm form);

}  // namespace ringlet
