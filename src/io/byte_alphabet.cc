#include "io/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "io/utf8.h"

namespace ringlet {
namespace {

constexpr char32_t kFirstShifted = 0x100;
constexpr size_t kShiftedCount = 68;

constexpr bool StandsForItself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

constexpr std::array<uint8_t, kShiftedCount> ShiftedBytes() {
  std::array<uint8_t, kShiftedCount> bytes{};
  size_t count = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (!StandsForItself(byte)) bytes[count++] = static_cast<uint8_t>(byte);
  }
  return bytes;
}

constexpr std::array<uint8_t, kShiftedCount> kShifted = ShiftedBytes();

constexpr std::array<char32_t, 256> CharsOfBytes() {
  std::array<char32_t, 256> chars{};
  for (size_t byte = 0; byte < 256; ++byte) chars[byte] = static_cast<char32_t>(byte);
  for (size_t i = 0; i < kShiftedCount; ++i) {
    chars[kShifted[i]] = kFirstShifted + static_cast<char32_t>(i);
  }
  return chars;
}

constexpr std::array<char32_t, 256> kChars = CharsOfBytes();

}  // namespace

std::optional<std::string> BytesFromAlphabet(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  while (!spelling.empty()) {
    const size_t length = Utf8CharLength(spelling);
    if (length == 0) return std::nullopt;
    const char32_t c = DecodeUtf8Char(spelling);
    if (c < 256 && StandsForItself(static_cast<int>(c))) {
      bytes.push_back(static_cast<char>(c));
    } else if (c >= kFirstShifted && c < kFirstShifted + kShiftedCount) {
      bytes.push_back(static_cast<char>(kShifted[c - kFirstShifted]));
    } else {
      return std::nullopt;
    }
    spelling.remove_prefix(length);
  }
  return bytes;
}

std::string AlphabetFromBytes(std::string_view bytes) {
  std::string spelling;
  spelling.reserve(bytes.size() * 2);
  for (const char byte : bytes) AppendUtf8(kChars[static_cast<uint8_t>(byte)], spelling);
  return spelling;
}

}  // namespace ringlet
