#include "ops/limits/limits.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/memory.h"
#include "ops/limits/limits_kernels.h"

namespace ringlet {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kHugePage = 2 * kMiB;
constexpr int64_t kMinProbe = 256 * kMiB;
constexpr int64_t kMaxProbe = 512 * kMiB;
constexpr int64_t kUnknownCache = 32 * kMiB;
// One timed run of a chain: short, so that some of them meet no disturbance.
constexpr double kSliceSeconds = 0.4e-3;
constexpr int kSlices = 60;
constexpr int kReadPasses = 8;
// On a busy machine a region waits for its slowest thread: then fewer runs must do.
constexpr double kBusySeconds = 0.25;

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const LimitKernels& Kernels(const Context& context) {
  return SelectKernels(LimitTables(), context.isa);
}

// A use that no compiler can see through: what a kernel returned is needed.
template <typename T>
void Keep(T value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// Operations per second of one run, in processor time of the calling thread.
double RunChain(const LimitChain& chain, int64_t rounds) {
  const double begin = ThreadSeconds();
  Keep(chain.run(rounds));
  const double seconds = std::max(ThreadSeconds() - begin, 1e-9);
  return static_cast<double>(rounds) * chain.ops_per_round / seconds;
}

int64_t SliceRounds(const LimitChain& chain) {
  int64_t rounds = 1 << 10;
  while (true) {
    const double begin = ThreadSeconds();
    Keep(chain.run(rounds));
    if (ThreadSeconds() - begin >= kSliceSeconds) return rounds;
    rounds *= 2;
  }
}

struct ChainRates {
  double one_thread = 0;
  double all_threads = 0;
};

// Threads run together, so that what they share (power, a core's units) counts; each is timed by
// its own clock.
ChainRates MeasureChain(Context& context, const LimitChain& chain) {
  const int64_t rounds = SliceRounds(chain);
  ChainRates best;
  double begin = WallSeconds();
  const auto more = [&](int i) {
    return i < kSlices && (i < 2 || WallSeconds() - begin < kBusySeconds);
  };
  for (int i = 0; more(i); ++i)
    best.one_thread = std::max(best.one_thread, RunChain(chain, rounds));
  std::vector<double> rates(static_cast<size_t>(context.pool.threads()));
  begin = WallSeconds();
  for (int i = 0; more(i); ++i) {
    context.pool.ParallelFor(context.pool.threads(), [&](int64_t task, int) {
      rates[static_cast<size_t>(task)] = RunChain(chain, rounds);
    });
    double sum = 0;
    for (const double rate : rates) sum += rate;
    best.all_threads = std::max(best.all_threads, sum);
  }
  return best;
}

int64_t ProbeBytes() {
  int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (cache <= 0) cache = kUnknownCache;
  int64_t bytes = std::clamp(4 * cache, kMinProbe, kMaxProbe);
  const auto available = static_cast<int64_t>(AvailableMemory());
  if (available > 0) bytes = std::min(bytes, std::max(available / 8, 64 * kMiB));
  return bytes / kHugePage * kHugePage;
}

}  // namespace

Result<ReadProbe> ReadProbe::Create(Context& context) {
  const int64_t bytes = ProbeBytes();
  void* memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Status(
        StatusCode::kResource,
        fmt::format("measuring memory bandwidth: found no {} MiB of free memory", bytes / kMiB));
  }
  // Only advice: without huge pages the measure is that of small ones.
  (void)madvise(memory, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  auto* data = static_cast<std::byte*>(memory);
  const int64_t blocks = bytes / kHugePage;
  context.pool.ParallelFor(blocks, [&](int64_t block, int) {
    std::memset(data + block * kHugePage, static_cast<int>(block % 255 + 1), kHugePage);
  });
  return ReadProbe(data, bytes);
}

ReadProbe::ReadProbe(ReadProbe&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}

ReadProbe::~ReadProbe() {
  if (data_ != nullptr) munmap(data_, static_cast<size_t>(bytes_));
}

double ReadProbe::AllThreads(Context& context, int passes) const {
  const LimitKernels& kernels = Kernels(context);
  const int64_t threads = context.pool.threads();
  const int64_t share = bytes_ / threads / kReadStride * kReadStride;
  double best = 0;
  const double start = WallSeconds();
  for (int i = 0; i < passes && (i < 2 || WallSeconds() - start < kBusySeconds); ++i) {
    std::atomic<uint64_t> sum{0};
    const double begin = WallSeconds();
    context.pool.ParallelFor(
        threads, [&](int64_t task, int) { sum ^= kernels.read(data_ + task * share, share); });
    const double seconds = std::max(WallSeconds() - begin, 1e-9);
    Keep(sum.load());
    best = std::max(best, static_cast<double>(share * threads) / seconds);
  }
  return best;
}

double ReadProbe::OneThread(const Context& context, int passes) const {
  const LimitKernels& kernels = Kernels(context);
  double best = 0;
  for (int i = 0; i < passes; ++i) {
    const double begin = ThreadSeconds();
    Keep(kernels.read(data_, bytes_));
    const double seconds = std::max(ThreadSeconds() - begin, 1e-9);
    best = std::max(best, static_cast<double>(bytes_) / seconds);
  }
  return best;
}

double MatrixPeak(Context& context, bool bf16) {
  const LimitKernels& kernels = Kernels(context);
  const bool own = bf16 && kernels.bf16.run != nullptr;
  return MeasureChain(context, own ? kernels.bf16 : kernels.fp32).all_threads;
}

MachineLimits MeasureLimits(Context& context, const ReadProbe& probe) {
  const LimitKernels& kernels = Kernels(context);
  MachineLimits limits;
  limits.threads = context.pool.threads();
  limits.has_bf16 = kernels.bf16.run != nullptr;
  limits.has_int8 = kernels.int8.run != nullptr;
  const ChainRates fp32 = MeasureChain(context, kernels.fp32);
  const ChainRates bf16 = limits.has_bf16 ? MeasureChain(context, kernels.bf16) : fp32;
  const ChainRates int8 = limits.has_int8 ? MeasureChain(context, kernels.int8) : fp32;
  limits.one_thread = {.read_bytes = probe.OneThread(context, kReadPasses),
                       .fp32_ops = fp32.one_thread,
                       .bf16_ops = bf16.one_thread,
                       .int8_ops = int8.one_thread};
  limits.all_threads = {.read_bytes = probe.AllThreads(context, kReadPasses),
                        .fp32_ops = fp32.all_threads,
                        .bf16_ops = bf16.all_threads,
                        .int8_ops = int8.all_threads};
  return limits;
}

}  // namespace ringlet
