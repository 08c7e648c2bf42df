// The program's version, from CMake.
#pragma once

#include <string_view>

namespace ringlet::cli {

inline constexpr std::string_view kVersion = RINGLET_VERSION;

}  // namespace ringlet::cli
