#include "base/format.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace ringlet {
namespace {

// Adds thousands separators to the integer part of a decimal number with at most a unit after it.
std::string Grouped(std::string digits) {
  const size_t point = std::min(digits.find_first_not_of("0123456789"), digits.size());
  for (size_t at = point; at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

struct Unit {
  double scale;
  char letter;
};

Unit UnitOf(uint64_t total) {
  if (total >= 1'000'000'000) return {1e9, 'B'};
  if (total >= 1'000'000) return {1e6, 'M'};
  return {1e3, 'K'};
}

// Decimals that give `value` >= 1 five significant digits.
int Decimals(double value) {
  int decimals = 4;
  for (double limit = 10; decimals > 0 && value >= limit - 0.5 * std::pow(10.0, -decimals);
       limit *= 10) {
    --decimals;
  }
  return decimals;
}

}  // namespace

std::string FormatCount(uint64_t value) { return Grouped(std::to_string(value)); }

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string FormatDuration(double seconds) {
  if (!(seconds < 1e9)) return "a long time";
  if (seconds < 0.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string FormatParameters(uint64_t total) {
  const Unit unit = UnitOf(total);
  const double value = static_cast<double>(total) / unit.scale;
  return fmt::format("{:.{}f}{}", value, Decimals(value), unit.letter);
}

std::string FormatParameterPart(uint64_t part, uint64_t total) {
  const Unit unit = UnitOf(total);
  if (unit.letter != 'B') return FormatParameters(part);
  // The total is printed to 10^-d billions, 10^(3-d) millions: d - 3 decimals, and one more here.
  const int decimals = Decimals(static_cast<double>(total) / unit.scale);
  return Grouped(
      fmt::format("{:.{}f}M", static_cast<double>(part) / 1e6, std::clamp(decimals - 2, 0, 1)));
}

std::string FormatExact(double value) {
  return std::isfinite(value) ? fmt::format("{:.17g}", value) : "null";
}

}  // namespace ringlet
