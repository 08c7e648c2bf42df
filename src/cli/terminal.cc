#include "cli/terminal.h"

#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace ringlet::cli {

Terminal DetectTerminal(std::FILE* stream) {
  Terminal terminal;
  const int fd = fileno(stream);
  terminal.tty = fd >= 0 && isatty(fd) == 1;
  if (!terminal.tty) return terminal;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  terminal.color = !dumb && (no_color == nullptr || no_color[0] == '\0');
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.width = size.ws_col;
  return terminal;
}

Style::Style(const Terminal& terminal) {
  if (!terminal.color) return;
  dim = "\x1b[2m";
  bold = "\x1b[1m";
  reset = "\x1b[0m";
}

}  // namespace ringlet::cli
