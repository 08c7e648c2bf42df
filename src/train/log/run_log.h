// RunLog: what happened in a run, one JSON object a line, appended step by step.
//
// A line is written by one call of the operating system, so that a killed process leaves at most
// one torn line, the last; opening the log for writing drops it, and every line beyond the step
// that the run goes on from. Lines of kind "start" tell where a process began or resumed the run,
// lines of kind "step" the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace ringlet {

// The process that trains from here on.
struct StartRecord {
  int64_t step = 0;  // of the checkpoint it begins with; 0: at the beginning
  std::string name;
  std::string model;  // for people: "ring-linear, 12 layers"
  uint64_t parameters = 0;
  int64_t total_steps = 0;
  int64_t threads = 0;
  std::string processor;
  std::string config;  // fingerprint
};

struct StepRecord {
  int64_t step = 0;
  int64_t tokens = 0;  // of the run so far
  double loss = 0;     // NaN and infinities are kept
  double lr = 0;
  double grad_norm = 0;
  double seconds = 0;  // of training, without pauses between processes
  double tokens_per_second = 0;
  double peak_share = 0;  // of the measured matrix peak
  uint64_t memory_bytes = 0;
  std::string skipped;  // why the step was not taken; empty: it was
  std::optional<double> heldout_loss = std::nullopt;
  std::optional<double> mtp_loss = std::nullopt;  // of layers that predict further tokens
  // Of each layer with experts.
  std::vector<double> load_cv;
  std::vector<double> load_max;  // over mean
};

using LogRecord = std::variant<StartRecord, StepRecord>;

// Without the end of the line.
std::string LogLine(const LogRecord& record);
// Errors name `source`; keys that are not known are left out, missing ones keep their defaults.
Result<LogRecord> ParseLogLine(std::string_view line, const std::string& source);

struct RunHistory {
  std::vector<StartRecord> starts;
  std::vector<StepRecord> steps;  // ascending
};

// A torn last line is left out; any other bad line is an error that names it.
Result<RunHistory> ReadRunLog(const std::string& path);

class RunLog {
 public:
  // Makes the file when there is none. Lines after `step` (and a torn one) are cut off.
  static Result<RunLog> Open(const std::string& path, int64_t step);
  RunLog(RunLog&& other) noexcept;
  RunLog& operator=(RunLog&&) = delete;
  ~RunLog();

  // Errors: the operating system's. A line that could not be written whole is taken back.
  Status Append(const LogRecord& record);
  // Everything appended so far is on the disk when this is ok: before a checkpoint is saved.
  Status Sync();

 private:
  RunLog(std::string path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}

  std::string path_;
  int fd_;
  uint64_t size_;
};

}  // namespace ringlet
