#include "cli/interrupt.h"

#include <atomic>
#include <csignal>

namespace ringlet::cli {
namespace {

// A signal handler can reach nothing but static storage.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void HandleInterrupt(int signal_number) {
  if (!interrupted.exchange(true)) return;
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

void Install(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: a blocking read returns
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupted = false;
  Install(HandleInterrupt);
}

InterruptGuard::~InterruptGuard() { Install(SIG_DFL); }

bool InterruptGuard::Pending() const { return interrupted; }

bool InterruptGuard::Take() { return interrupted.exchange(false); }

}  // namespace ringlet::cli
