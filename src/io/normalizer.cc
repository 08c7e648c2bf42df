#include "io/normalizer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <utf8proc.h>

#include "base/check.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

bool IsAscii(char byte) { return static_cast<uint8_t>(byte) < 0x80; }

utf8proc_option_t OptionsOf(NormalForm form) {
  int options = UTF8PROC_STABLE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) options |= UTF8PROC_COMPOSE;
  if (form == NormalForm::kNfd || form == NormalForm::kNfkd) options |= UTF8PROC_DECOMPOSE;
  return static_cast<utf8proc_option_t>(options);
}

// Canonical ordering: every run of combining marks stably by class. utf8proc_decompose would do it
// by exchanging neighbours, quadratic in the run's length.
void OrderMarks(std::span<utf8proc_int32_t> points) {
  const auto combining_class = [](utf8proc_int32_t point) {
    return utf8proc_get_property(point)->combining_class;
  };
  for (size_t begin = 0; begin < points.size();) {
    if (combining_class(points[begin]) == 0) {
      ++begin;
      continue;
    }
    size_t end = begin + 1;
    while (end < points.size() && combining_class(points[end]) != 0) ++end;
    std::stable_sort(points.begin() + static_cast<ptrdiff_t>(begin),
                     points.begin() + static_cast<ptrdiff_t>(end),
                     [&](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

void NormalizeSegment(std::string_view text, utf8proc_option_t options,
                      std::vector<utf8proc_int32_t>& points, std::string& out) {
  points.clear();
  std::array<utf8proc_int32_t, 32> decomposed{};
  for (size_t at = 0; at < text.size();) {
    const auto point = static_cast<utf8proc_int32_t>(DecodeUtf8Char(text.substr(at, 4)));
    int boundary = 0;
    // Compose decomposes first, so both directions ask for the decomposition here.
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        point, decomposed.data(), decomposed.size(),
        static_cast<utf8proc_option_t>((options & ~UTF8PROC_COMPOSE) | UTF8PROC_DECOMPOSE),
        &boundary);
    RINGLET_CHECK(count >= 0 && count <= static_cast<utf8proc_ssize_t>(decomposed.size()),
                  "the longest Unicode decomposition is 18 characters");
    points.insert(points.end(), decomposed.begin(), decomposed.begin() + count);
    at += Utf8CharLength(text.substr(at, 4));
  }
  OrderMarks(points);
  const utf8proc_ssize_t length = utf8proc_normalize_utf32(
      points.data(), static_cast<utf8proc_ssize_t>(points.size()), options);
  RINGLET_CHECK(length >= 0, "normalizing code points cannot fail");
  for (utf8proc_ssize_t i = 0; i < length; ++i) {
    AppendUtf8(static_cast<char32_t>(points[static_cast<size_t>(i)]), out);
  }
}

}  // namespace

std::string NormalizeUtf8(std::string_view text, NormalForm form) {
  std::string out;
  out.reserve(text.size());
  std::vector<utf8proc_int32_t> points;
  const auto ascii = [](char byte) { return IsAscii(byte); };
  for (size_t at = 0; at < text.size();) {
    // ASCII is in every form already, except that a mark may join the last character before it.
    const auto begin = text.begin() + static_cast<ptrdiff_t>(at);
    const auto stop = std::find_if_not(begin, text.end(), ascii);
    const size_t plain = static_cast<size_t>(stop - begin);
    if (stop == text.end()) {
      out.append(text.substr(at));
      break;
    }
    const size_t kept = plain == 0 ? 0 : plain - 1;
    out.append(text.substr(at, kept));
    const size_t end = static_cast<size_t>(std::find_if(stop, text.end(), ascii) - text.begin());
    NormalizeSegment(text.substr(at + kept, end - at - kept), OptionsOf(form), points, out);
    at = end;
  }
  return out;
}

}  // namespace ringlet
