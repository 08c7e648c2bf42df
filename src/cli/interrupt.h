// Ctrl-C as a request instead of an end.
#pragma once

namespace ringlet::cli {

// While one exists, SIGINT only raises a flag; a second SIGINT before the flag is taken ends the
// program as if nobody caught it. Blocking reads fail with EINTR. One at a time.
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
};

}  // namespace ringlet::cli
