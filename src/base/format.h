// Numbers for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

// "1,234,567".
std::string FormatCount(uint64_t value);

// "512 B", "1.5 KiB", "30.2 GiB": one decimal, powers of 1024.
std::string FormatBytes(uint64_t bytes);

// "0.04 s", "1.5 s", "12 s", "3 min 20 s", "2 h 5 min".
std::string FormatDuration(double seconds);

// A model's parameters: the total with five significant digits in billions (from 1e9 on), else
// millions or thousands: "16.423B", "134.52M".
std::string FormatParameters(uint64_t total);

// A part of `total` (parameters used per token), in millions, one decimal place finer than the
// total is printed, but at most one: "1,600.8M" of 16.423B, "7,444M" of 104.18B.
std::string FormatParameterPart(uint64_t part, uint64_t total);

// 17 significant digits, which read back as the same double. JSON has no infinities or NaN: null.
std::string FormatExact(double value);

}  // namespace ringlet
