#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <utility>
#include <vector>

namespace ringlet {
namespace {

// Plain, not atomic: a task that ran twice or a missing happens-before is a race that the thread
// sanitizer reports.
void CheckEveryTaskRunsOnce(ThreadPool& pool, int64_t tasks) {
  std::vector<int> runs(static_cast<size_t>(tasks), 0);
  std::vector<int64_t> per_thread(static_cast<size_t>(pool.threads()), 0);
  pool.ParallelFor(tasks, [&](int64_t i, int thread) {
    ++runs[static_cast<size_t>(i)];
    ++per_thread[static_cast<size_t>(thread)];
  });
  for (int64_t i = 0; i < tasks; ++i) ASSERT_EQ(runs[static_cast<size_t>(i)], 1) << "task " << i;
  ASSERT_EQ(std::accumulate(per_thread.begin(), per_thread.end(), int64_t{0}), tasks);
}

TEST(ThreadPoolTest, EveryTaskRunsOnceOnAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 4, 9}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.threads(), threads);
    for (const int64_t tasks : {0, 1, 2, 3, 4, 7, 64, 1000}) {
      ASSERT_NO_FATAL_FAILURE(CheckEveryTaskRunsOnce(pool, tasks)) << threads << " threads";
    }
  }
}

// A worker may look at a region just as it closes and the pool ends: it must not wait for another.
TEST(ThreadPoolTest, EndsRightAfterARegion) {
  for (int i = 0; i < 2000; ++i) {
    ThreadPool pool(2);
    pool.ParallelFor(2, [](int64_t, int) {});
  }
}

TEST(ThreadPoolTest, AtLeastTheCaller) {
  EXPECT_EQ(ThreadPool(0).threads(), 1);
  EXPECT_EQ(ThreadPool(-3).threads(), 1);
}

// Reading ahead may name anything, for any thread, and changes nothing.
TEST(ThreadPoolTest, ReadsAheadOfWhatNeedNotExist) {
  ThreadPool pool(3);
  for (int i = 0; i < 200; ++i) {
    const std::vector<std::byte> soon_gone(size_t{1} << 14);
    for (int thread = 0; thread < pool.threads(); ++thread) {
      pool.ReadAhead(thread, i % 2 == 0 ? std::span(soon_gone)
                                        : std::span<const std::byte>(
                                              reinterpret_cast<const std::byte*>(64), 4096));
    }
    ASSERT_NO_FATAL_FAILURE(CheckEveryTaskRunsOnce(pool, i % 5));
  }
}

TEST(ThreadPoolTest, NoTasksNeverCallsTheTask) {
  ThreadPool pool(3);
  bool called = false;
  pool.ParallelFor(0, [&](int64_t, int) { called = true; });
  pool.ParallelFor(-1, [&](int64_t, int) { called = true; });
  EXPECT_FALSE(called);
}

// What one region wrote is visible to whichever thread runs the next, through very many regions
// that follow each other at once: the hand-over is where a pool breaks.
TEST(ThreadPoolTest, ManyTinyRegions) {
  // More threads than cores make a region wait for the scheduler: fewer of those.
  for (const auto& [threads, regions] : {std::pair<int, int64_t>{2, 5000}, {4, 300}}) {
    ThreadPool pool(threads);
    std::vector<int64_t> values(4, 0);
    for (int64_t region = 0; region < regions; ++region) {
      pool.ParallelFor(static_cast<int64_t>(values.size()), [&](int64_t i, int) {
        const auto at = static_cast<size_t>(i);
        // Reads a neighbour's value of the region before: only ordering keeps it consistent.
        values[at] = values[at] == region ? region + 1 : -1;
      });
    }
    for (const int64_t value : values) EXPECT_EQ(value, regions) << threads << " threads";
  }
}

// Workers that went to sleep wake up for the next region.
TEST(ThreadPoolTest, SleepingWorkersWakeUp) {
  ThreadPool pool(4);
  for (int pause = 0; pause < 5; ++pause) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    ASSERT_NO_FATAL_FAILURE(CheckEveryTaskRunsOnce(pool, 100));
  }
}

// Pools are independent, also when one is used inside another's region.
TEST(ThreadPoolTest, PoolsInsidePools) {
  ThreadPool outer(3);
  std::vector<int64_t> sums(6, 0);
  outer.ParallelFor(6, [&](int64_t i, int) {
    ThreadPool inner(2);
    std::vector<int64_t> squares(50, 0);
    inner.ParallelFor(50, [&](int64_t j, int) { squares[static_cast<size_t>(j)] = i * j; });
    sums[static_cast<size_t>(i)] = std::accumulate(squares.begin(), squares.end(), int64_t{0});
  });
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(sums[static_cast<size_t>(i)], i * 1225);
}

TEST(ThreadPoolTest, ConstructionAndDestructionWithoutWork) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(4);
}

}  // namespace
}  // namespace ringlet
