// Ctrl-C as a request instead of an end.
#pragma once

namespace ringlet::cli {

// While one exists, SIGINT only raises a flag; a second SIGINT before the flag is taken ends the
// program as if nobody caught it. One at a time. Uses a pipe, so that no wait can miss a signal,
// whichever thread it was delivered to.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  // Whether Ctrl-C was pressed since the last Take.
  bool Pending() const;
  // Pending, and lowers the flag.
  bool Take();
  // Waits until reading from `fd` would not block: true. False when Ctrl-C is pending before that.
  bool WaitForInput(int fd) const;

 private:
  int wake_ = -1;  // readable while the flag is up
};

}  // namespace ringlet::cli
