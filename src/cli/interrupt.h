// Ctrl-C as a request instead of an end.
#pragma once

namespace ringlet::cli {

// While one exists, SIGINT only raises a flag; a second SIGINT before the flag is taken ends the
// program as if nobody caught it. Work that can go on later takes SIGTERM, too. One at a time. Uses
// a pipe, so that no wait can miss a signal, whichever thread it was delivered to.
class InterruptGuard {
 public:
  enum class Signals { kInterrupt, kInterruptAndTerminate };

  explicit InterruptGuard(Signals signals = Signals::kInterrupt);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // Whether a signal came since the last Take.
  bool Pending() const;
  // Pending, and lowers the flag.
  bool Take();
  // Waits until reading from `fd` would not block: true. False when a signal is pending before
  // that.
  bool WaitForInput(int fd) const;

 private:
  const Signals signals_;
  int wake_ = -1;  // readable while the flag is up
};

}  // namespace ringlet::cli
