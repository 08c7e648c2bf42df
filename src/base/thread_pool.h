// A fixed set of worker threads for parallel regions.
//
// ParallelFor gives each thread an equal run of [0, tasks), which it works through upwards, so that
// neighbouring tasks may be neighbours in memory; who is done takes single tasks from the end of
// another's run. Results must not depend on who runs what: a task writes only its own outputs, by a
// computation of its own. Thread count therefore never changes a bit (docs/numerics.md, the row
// contract).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace ringlet {

class ThreadPool {
 public:
  // `threads` counts the caller: 1 means no workers. At least 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Runs task(index, thread) for every index in [0, tasks) on the caller and the workers; returns
  // when all are done. `thread` is in [0, threads()), for scratch space. Not reentrant, and one
  // caller at a time. Tasks must not throw.
  void ParallelFor(int64_t tasks, const std::function<void(int64_t index, int thread)>& task);

  // What `thread` will read first in the region after the next one: it brings these bytes into its
  // cache when it has done its part of the next one and would wait. Between regions one thread
  // works alone on small things, and memory would idle. A hint that changes no result, and that
  // holds for one region; the bytes need not be readable.
  void ReadAhead(int thread, std::span<const std::byte> bytes) {
    ahead_[static_cast<size_t>(thread)] = bytes;
  }

 private:
  // A thread's run: the next task in the upper half, the end in the lower.
  struct alignas(64) Run {
    std::atomic<uint64_t> range{0};
  };

  void WorkerLoop(int thread);
  void RunTasks(int thread);
  // The index of a task of `run`, its first or its last; negative when none is left.
  static int64_t TakeFirst(Run& run);
  static int64_t TakeLast(Run& run);

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // The region in progress: its number in the upper half; below it whether workers may still join,
  // and how many are inside. One word, so that joining and closing cannot overlap.
  std::atomic<uint64_t> region_{0};
  std::vector<Run> runs_;  // one per thread
  // Of each thread. Written by the caller between regions, read by the thread inside one.
  std::vector<std::span<const std::byte>> ahead_;
  std::atomic<bool> stop_{false};
  int sleepers_ = 0;  // guarded by mutex_
  const std::function<void(int64_t, int)>* task_ = nullptr;
};

}  // namespace ringlet
