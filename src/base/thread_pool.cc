#include "base/thread_pool.h"

#include <algorithm>

#include "base/check.h"

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

constexpr uint64_t kLow = (uint64_t{1} << 32) - 1;

uint64_t Number(uint64_t region) { return region / kNextRegion; }

// A moment's wait, used to bring the first of `ahead` into the second-level cache, if there are
// any.
void Wait(std::span<const std::byte>* ahead) {
  constexpr size_t kLine = 64;
  constexpr size_t kAtOnce = 4 * kLine;
  if (ahead->empty()) return Pause();
  const size_t count = std::min(kAtOnce, ahead->size());
  for (size_t i = 0; i < count; i += kLine) __builtin_prefetch(ahead->data() + i, 0, 2);
  *ahead = ahead->subspan(count);
}

// Hints hold for one region, however it ends.
class Forget {
 public:
  explicit Forget(std::vector<std::span<const std::byte>>& hints) : hints_(hints) {}
  ~Forget() { std::ranges::fill(hints_, std::span<const std::byte>()); }
  Forget(const Forget&) = delete;
  Forget& operator=(const Forget&) = delete;

 private:
  std::vector<std::span<const std::byte>>& hints_;
};

}  // namespace

ThreadPool::ThreadPool(int threads)
    : runs_(static_cast<size_t>(std::max(1, threads))), ahead_(runs_.size()) {
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
  const Forget forget(ahead_);
  if (workers_.empty() || tasks <= 1) {
    for (int64_t i = 0; i < tasks; ++i) task(i, 0);
    return;
  }
  RINGLET_CHECK(tasks < int64_t{1} << 31, "tasks of a region are counted in 32 bits");
  task_ = &task;
  const auto total = static_cast<uint64_t>(tasks);
  for (uint64_t i = 0; i < runs_.size(); ++i) {
    const uint64_t begin = total * i / runs_.size();
    const uint64_t end = total * (i + 1) / runs_.size();
    runs_[i].range.store(begin << 32 | end, std::memory_order_relaxed);
  }
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
  std::span<const std::byte> ahead = ahead_[0];
  // Oversubscribed machines may have descheduled a worker: stop burning the core it needs.
  for (int round = 0; (region_.load(std::memory_order_acquire) & kInside) != 0; ++round) {
    if (round < kSpinRounds) {
      Wait(&ahead);
    } else {
      std::this_thread::yield();
    }
  }
}

int64_t ThreadPool::TakeFirst(Run& run) {
  uint64_t range = run.range.load(std::memory_order_relaxed);
  while (range >> 32 < (range & kLow)) {
    const uint64_t rest = range + (uint64_t{1} << 32);
    if (run.range.compare_exchange_weak(range, rest, std::memory_order_relaxed)) {
      return static_cast<int64_t>(range >> 32);
    }
  }
  return -1;
}

int64_t ThreadPool::TakeLast(Run& run) {
  uint64_t range = run.range.load(std::memory_order_relaxed);
  while (range >> 32 < (range & kLow)) {
    if (run.range.compare_exchange_weak(range, range - 1, std::memory_order_relaxed)) {
      return static_cast<int64_t>((range & kLow) - 1);
    }
  }
  return -1;
}

void ThreadPool::RunTasks(int thread) {
  const std::function<void(int64_t, int)>& task = *task_;
  Run& own = runs_[static_cast<size_t>(thread)];
  for (int64_t i = TakeFirst(own); i >= 0; i = TakeFirst(own)) task(i, thread);
  for (size_t other = 1; other < runs_.size(); ++other) {
    Run& run = runs_[(static_cast<size_t>(thread) + other) % runs_.size()];
    for (int64_t i = TakeLast(run); i >= 0; i = TakeLast(run)) task(i, thread);
  }
}

void ThreadPool::WorkerLoop(int thread) {
  uint64_t seen = 0;
  std::span<const std::byte> ahead;
  while (true) {
    for (int round = 0; round < kSpinRounds; ++round) {
      if (Number(region_.load(std::memory_order_acquire)) != seen) break;
      Wait(&ahead);
    }
    if (Number(region_.load(std::memory_order_acquire)) == seen) {
      std::unique_lock<std::mutex> lock(mutex_);
      ++sleepers_;
      // Also when the last look at the region, below, already saw the one that ends the pool.
      wake_.wait(lock, [&] {
        return stop_.load() || Number(region_.load(std::memory_order_relaxed)) != seen;
      });
      --sleepers_;
    }
    uint64_t region = region_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    while ((region & kOpen) != 0) {
      if (!region_.compare_exchange_weak(region, region + 1, std::memory_order_acq_rel)) continue;
      RunTasks(thread);
      ahead = ahead_[static_cast<size_t>(thread)];
      region_.fetch_sub(1, std::memory_order_acq_rel);
      break;
    }
    seen = Number(region);
  }
}

}  // namespace ringlet
