// What the output is connected to.
#pragma once

#include <cstdio>
#include <string_view>

namespace ringlet::cli {

struct Terminal {
  bool tty = false;
  bool color = false;  // escape sequences are welcome: a terminal, not TERM=dumb, NO_COLOR unset
  int width = 80;
};

Terminal DetectTerminal(std::FILE* stream);

// The escape sequences in use; empty strings without color.
struct Style {
  explicit Style(const Terminal& terminal);
  std::string_view dim;
  std::string_view bold;
  std::string_view reset;
};

}  // namespace ringlet::cli
