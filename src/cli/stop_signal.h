// SIGINT and SIGTERM as a request to stop.
#pragma once

namespace ringlet::cli {

// While one exists, the first of either signal is caught; a second one ends the program as if
// nobody caught it. One at a time.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Waits for the signal.
  void Wait();

 private:
  int read_ = -1;  // readable once the signal has come
};

}  // namespace ringlet::cli
