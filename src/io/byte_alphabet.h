// The byte alphabet of byte-level BPE: vocabularies spell each byte as one printable character.
// Bytes 33-126, 161-172 and 174-255 stand for themselves (as Latin-1); the other 68, in ascending
// order, are U+0100, U+0101, ... (U+0120 is the space).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringlet {

// The bytes that `spelling` stands for; nullopt when a character is outside the alphabet (such a
// token is never made from bytes).
std::optional<std::string> BytesFromAlphabet(std::string_view spelling);

// The inverse.
std::string AlphabetFromBytes(std::string_view bytes);

}  // namespace ringlet
