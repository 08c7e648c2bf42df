// What a parallel region costs. Empty: to begin and end it, whoever comes. Meeting: until every
// thread has come, which is what a region with work for all of them waits for.
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "bench/op_cases.h"

namespace ringlet {
namespace {

// Longer than any worker waits awake.
constexpr std::chrono::milliseconds kIdle{20};
// On a busy machine a thread may have to give way for another to come.
constexpr int kPatience = 100000;

void Meet(Context& context, std::atomic<int>& arrived) {
  const int threads = context.pool.threads();
  arrived.store(0);
  context.pool.ParallelFor(threads, [&](int64_t, int) {
    arrived.fetch_add(1);
    for (int i = 0; arrived.load(std::memory_order_acquire) < threads; ++i) {
      if (i > kPatience) std::this_thread::yield();
    }
  });
}

OpCase RegionCase(const std::string& shape, bool meeting, bool idle) {
  OpCase op;
  op.op = "region";
  op.shape = shape;
  op.make = [=](Context& context) {
    OpRun run;
    if (meeting) {
      auto arrived = std::make_shared<std::atomic<int>>(0);
      run.run = [&context, arrived] { Meet(context, *arrived); };
    } else {
      run.run = [&context] {
        context.pool.ParallelFor(context.pool.threads(), [](int64_t, int) {});
      };
    }
    if (idle) run.before = [] { std::this_thread::sleep_for(kIdle); };
    return run;
  };
  return op;
}

}  // namespace

void AddPoolCases(std::vector<OpCase>* cases) {
  cases->push_back(RegionCase("empty, one after another", false, false));
  cases->push_back(RegionCase("meeting, one after another", true, false));
  cases->push_back(RegionCase("meeting, after 20 ms idle", true, true));
}

}  // namespace ringlet
