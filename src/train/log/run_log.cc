#include "train/log/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "base/file.h"
#include "train/store/file_system.h"

namespace ringlet {
namespace {

constexpr uint64_t kMaxLog = uint64_t{1} << 34;

// Calls visit(record, end of its line in the file) for each whole line until it returns false.
template <typename Visit>
Status VisitLines(std::string_view text, const std::string& path, const Visit& visit) {
  int64_t number = 1;
  size_t at = 0;
  while (true) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return Status::Ok();  // torn, or nothing
    const Result<LogRecord> record =
        ParseLogLine(text.substr(at, end - at), fmt::format("{}:{}", path, number));
    RINGLET_RETURN_IF_ERROR(record.status());
    if (!visit(record.value(), end + 1)) return Status::Ok();
    at = end + 1;
    ++number;
  }
}

int64_t StepOf(const LogRecord& record) {
  return std::visit([](const auto& value) { return value.step; }, record);
}

}  // namespace

Result<RunHistory> ReadRunLog(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxLog));
  RunHistory history;
  Status order;
  RINGLET_RETURN_IF_ERROR(VisitLines(text, path, [&](const LogRecord& record, size_t) {
    if (const auto* start = std::get_if<StartRecord>(&record)) {
      history.starts.push_back(*start);
      return true;
    }
    const auto& step = std::get<StepRecord>(record);
    if (!history.steps.empty() && step.step <= history.steps.back().step) {
      order =
          BadInput(path, "step", fmt::format("{} after {}", step.step, history.steps.back().step),
                   "ascending steps");
      return false;
    }
    history.steps.push_back(step);
    return true;
  }));
  RINGLET_RETURN_IF_ERROR(order);
  return history;
}

Result<RunLog> RunLog::Open(const std::string& path, int64_t step) {
  uint64_t keep = 0;
  if (FileExists(path)) {
    RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxLog));
    RINGLET_RETURN_IF_ERROR(VisitLines(text, path, [&](const LogRecord& record, size_t end) {
      if (StepOf(record) > step) return false;
      keep = end;
      return true;
    }));
  }
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return FileError(path, "open");
  RunLog log(path, fd, keep);
  if (::ftruncate(fd, static_cast<off_t>(keep)) != 0) return FileError(path, "shorten");
  return log;
}

RunLog::RunLog(RunLog&& other) noexcept
    : path_(std::move(other.path_)), fd_(other.fd_), size_(other.size_) {
  other.fd_ = -1;
}

RunLog::~RunLog() {
  if (fd_ >= 0) ::close(fd_);
}

Status RunLog::Append(const LogRecord& record) {
  const std::string line = LogLine(record) + "\n";
  ssize_t wrote = 0;
  do {
    wrote = ::write(fd_, line.data(), line.size());
  } while (wrote < 0 && errno == EINTR);
  if (wrote == static_cast<ssize_t>(line.size())) {
    size_ += line.size();
    return Status::Ok();
  }
  // A disk that took a part of the line is full.
  if (wrote >= 0) errno = ENOSPC;
  const Status status = FileError(path_, "write");
  if (wrote > 0 && ::ftruncate(fd_, static_cast<off_t>(size_)) != 0) {
    return FileError(path_, "shorten");
  }
  return status;
}

Status RunLog::Sync() { return ::fdatasync(fd_) == 0 ? Status::Ok() : FileError(path_, "sync"); }

}  // namespace ringlet
