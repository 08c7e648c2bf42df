// Reading lines from a person or a pipe.
#pragma once

#include <memory>
#include <string>

#include "cli/interrupt.h"

namespace ringlet::cli {

// On a terminal: editing and history (libedit, when built with it). From a pipe: plain lines, and
// the prompt is not shown.
class LineReader {
 public:
  enum class Event { kLine, kInterrupt, kEnd };

  // `interrupt` must outlive the reader.
  explicit LineReader(const InterruptGuard& interrupt);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Reads one line into `line`, without its end. kInterrupt when SIGINT arrived while waiting (an
  // InterruptGuard must exist), kEnd at the end of the input. Lines longer than 16 MiB end the
  // input.
  Event Read(const std::string& prompt, std::string& line);

  bool interactive() const { return interactive_; }

 private:
  struct Editor;
  Event ReadPlain(const std::string& prompt, std::string& line);

  const InterruptGuard& interrupt_;
  bool interactive_;
  std::string buffered_;  // read but not yet part of a line
  std::unique_ptr<Editor> editor_;
};

}  // namespace ringlet::cli
