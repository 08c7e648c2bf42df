#include "base/thread_pool.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ringlet {
namespace {

inline void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Long enough to bridge the gap between two operators of a decode step, short enough that an idle
// engine costs no core: about 50 microseconds, then the worker sleeps.
constexpr int kSpinRounds = 2000;

constexpr uint64_t kNextRegion = uint64_t{1} << 32;
constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kInside = kOpen - 1;

uint64_t Number(uint64_t region) { return region / kNextRegion; }

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < std::max(1, threads); ++i) {
    workers_.emplace_back([this, i] { WorkerLoop(i); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_.store(true);
    region_.fetch_add(kNextRegion);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ParallelFor(int64_t tasks, const std::function<void(int64_t, int)>& task) {
  if (workers_.empty() || tasks <= 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i, 0);
    return;
  }
  tasks_ = tasks;
  task_ = &task;
  next_.store(0, std::memory_order_relaxed);
  bool notify = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const uint64_t number = Number(region_.load(std::memory_order_relaxed));
    region_.store((number + 1) * kNextRegion | kOpen, std::memory_order_release);
    notify = sleepers_ > 0;
  }
  if (notify) wake_.notify_all();
  RunTasks(0);
  // Every task is taken: who has not joined yet is not waited for.
  region_.fetch_and(~kOpen, std::memory_order_acq_rel);
  // Oversubscribed machines may have descheduled a worker: stop burning the core it needs.
  for (int round = 0; (region_.load(std::memory_order_acquire) & kInside) != 0; ++round) {
    if (round < kSpinRounds) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::RunTasks(int thread) {
  const std::function<void(int64_t, int)>& task = *task_;
  for (int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < tasks_;
       i = next_.fetch_add(1, std::memory_order_relaxed)) {
    task(i, thread);
  }
}

void ThreadPool::WorkerLoop(int thread) {
  uint64_t seen = 0;
  while (true) {
    for (int round = 0; round < kSpinRounds; ++round) {
      if (Number(region_.load(std::memory_order_acquire)) != seen) break;
      Pause();
    }
    if (Number(region_.load(std::memory_order_acquire)) == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      ++sleepers_;
      wake_.wait(lock, [&] { return Number(region_.load(std::memory_order_relaxed)) != seen; });
      --sleepers_;
    }
    uint64_t region = region_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    while ((region & kOpen) != 0) {
      if (!region_.compare_exchange_weak(region, region + 1, std::memory_order_acq_rel)) continue;
      RunTasks(thread);
      region_.fetch_sub(1, std::memory_order_acq_rel);
      break;
    }
    seen = Number(region);
  }
}

}  // namespace ringlet
