#include "cli/interrupt.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace ringlet::cli {
namespace {

// A signal handler can reach nothing but static storage.
std::atomic<bool> interrupted{false};
std::atomic<int> wake_writer{-1};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void HandleInterrupt(int signal_number) {
  const int saved = errno;
  if (interrupted.exchange(true)) {
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
  } else if (const int fd = wake_writer; fd >= 0) {
    [[maybe_unused]] const ssize_t written = write(fd, "!", 1);
  }
  errno = saved;
}

void Install(InterruptGuard::Signals signals, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;  // waits end through the pipe, not through EINTR
  sigaction(SIGINT, &action, nullptr);
  if (signals == InterruptGuard::Signals::kInterruptAndTerminate) {
    sigaction(SIGTERM, &action, nullptr);
  }
}

}  // namespace

InterruptGuard::InterruptGuard(Signals signals) : signals_(signals) {
  interrupted = false;
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0) {
    wake_ = ends[0];
    wake_writer = ends[1];
  }
  Install(signals_, HandleInterrupt);
}

InterruptGuard::~InterruptGuard() {
  Install(signals_, SIG_DFL);
  const int writer = wake_writer.exchange(-1);
  if (writer >= 0) close(writer);
  if (wake_ >= 0) close(wake_);
}

bool InterruptGuard::Pending() const { return interrupted; }

bool InterruptGuard::Take() {
  // The pipe first: a signal in between then leaves flag and pipe both raised or both lowered by
  // the next Take, never a raised flag that no wait notices.
  std::array<char, 16> bytes;
  while (wake_ >= 0 && read(wake_, bytes.data(), bytes.size()) > 0) {
  }
  return interrupted.exchange(false);
}

bool InterruptGuard::WaitForInput(int fd) const {
  while (!Pending()) {
    std::array<pollfd, 2> waits = {{{fd, POLLIN, 0}, {wake_, POLLIN, 0}}};
    const int ready = poll(waits.data(), waits.size(), -1);
    if (ready < 0 && errno != EINTR) return true;  // let the read report it
    if (ready > 0 && waits[0].revents != 0 && !Pending()) return true;
  }
  return false;
}

}  // namespace ringlet::cli
