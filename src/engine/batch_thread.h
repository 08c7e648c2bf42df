// BatchThread: a batcher with a thread of its own, for callers of any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/batcher.h"

namespace ringlet {

class BatchThread {
 public:
  // At most `max_waiting` jobs wait for their turn.
  BatchThread(std::unique_ptr<Batcher> batcher, int64_t max_waiting);
  // Cancels every job; listeners hear so.
  ~BatchThread();
  BatchThread(const BatchThread&) = delete;
  BatchThread& operator=(const BatchThread&) = delete;

  const Batcher& batcher() const { return *batcher_; }  // its constant properties

  // Submits all or none. Errors: a request that can never run (kInvalidInput), a full queue
  // (kResource). Listeners are called by the batcher's thread, possibly before Submit returns.
  struct Submission {
    JobRequest request;
    std::shared_ptr<JobListener> listener;
  };
  Result<std::vector<JobId>> Submit(std::vector<Submission> jobs);
  // The job's listener hears of its end within a step, unless it has ended.
  void Cancel(JobId id);

  // Runs `task` between two steps on the batcher's thread and waits for it.
  void Run(const std::function<void(Batcher&)>& task);

  // As of the last step.
  BatcherStatistics statistics() const;
  std::vector<RunningJob> running() const;
  // Jobs that have not ended.
  int64_t unfinished() const { return unfinished_.load(); }

 private:
  class Counting;
  using Task = std::function<void(Batcher&)>;

  void Loop();
  void Post(Task task);
  void Publish();

  std::unique_ptr<Batcher> batcher_;
  const int64_t max_waiting_;
  std::atomic<int64_t> unfinished_{0};
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Task> tasks_;  // guarded by mutex_, as the following
  JobId next_id_ = 1;
  int64_t submitted_ = 0;  // not yet seen by the batcher
  bool stop_ = false;
  BatcherStatistics statistics_;
  std::vector<RunningJob> running_;
  std::vector<JobId> live_;  // batcher's thread only
  std::thread thread_;
};

}  // namespace ringlet
