#include "cli/stop_signal.h"

#include <cerrno>
#include <csignal>
#include <initializer_list>

#include <unistd.h>

#include "base/check.h"

namespace ringlet::cli {
namespace {

// What a signal handler can reach.
int write_end = -1;

void Handle(int) {
  const int saved = errno;
  [[maybe_unused]] const ssize_t written = ::write(write_end, "", 1);
  errno = saved;
}

}  // namespace

StopSignal::StopSignal() {
  int ends[2];
  RINGLET_CHECK(::pipe(ends) == 0, "no pipe");
  read_ = ends[0];
  write_end = ends[1];
  struct sigaction action = {};
  action.sa_handler = Handle;
  // The second one is not ours.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

StopSignal::~StopSignal() {
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
  ::close(write_end);
  ::close(read_);
}

void StopSignal::Wait() {
  char byte = 0;
  while (::read(read_, &byte, 1) < 0 && errno == EINTR) {
  }
  // Either signal now ends the program.
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
}

}  // namespace ringlet::cli
