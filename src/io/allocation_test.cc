// What hostile files cost: memory stays near the size of the file whatever it declares, and time
// grows with the number of entries, not with its square.
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <new>

#include <gtest/gtest.h>

#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/test_files.h"

namespace {

size_t g_allocated = 0;  // bytes asked of operator new in this program, never decreasing

}  // namespace

// Not inlined: the compiler would see memory of malloc meet operator delete, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  g_allocated += size;
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, size_t) noexcept { std::free(block); }

namespace ringlet {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};
constexpr size_t kSmall = 64 << 10;

template <typename Reader>
size_t BytesAllocatedBy(const std::string& file) {
  const size_t before = g_allocated;
  EXPECT_FALSE(Reader::Parse(AsBytes(file), "test", nullptr).ok());
  return g_allocated - before;
}

TEST(Allocation, CounterWorks) {
  const size_t before = g_allocated;
  const std::string text(kSmall, 'x');
  EXPECT_GE(g_allocated - before, text.size());
}

TEST(Allocation, GgufCountsTakeNoMemoryBeforeTheyAreChecked) {
  const std::vector<uint64_t> counts = {uint64_t{1} << 20, uint64_t{1} << 31, uint64_t{1} << 32,
                                        uint64_t{1} << 60, uint64_t{1} << 63, kMax / 33,
                                        kMax / 14,         kMax - 7,          kMax};
  for (const uint64_t count : counts) {
    SCOPED_TRACE(count);
    EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(count, 0) + Zeros(64)), kSmall);
    EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(0, count) + Zeros(64)), kSmall);
    EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(count, count) + Zeros(64)), kSmall);
    EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(0, 1) + Stored(count) + Zeros(64)), kSmall);
    EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(1, 0) + Stored(count) + Zeros(64)), kSmall);
    const std::string string = GgufEntry("k", kTypeString, Stored(count) + Zeros(64));
    EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(0, 1) + string), kSmall);
    for (uint32_t type = 0; type <= kTypeF64; ++type) {
      const std::string array = GgufArray("k", type, count, Zeros(64));
      EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(0, 1) + array), kSmall) << type;
    }
    const std::string tensor = GgufTensor("t", {count % (uint64_t{1} << 48)}, 0, 0);
    EXPECT_LT(BytesAllocatedBy<GgufFile>(GgufCounts(1, 0) + tensor + Zeros(64)), kSmall);
  }
}

TEST(Allocation, SafetensorsLengthsAndShapesTakeNoMemory) {
  for (const uint64_t length : {uint64_t{1} << 26, uint64_t{1} << 32, uint64_t{1} << 63, kMax}) {
    EXPECT_LT(BytesAllocatedBy<Safetensors>(Stored(length) + "{}"), kSmall);
  }
  EXPECT_LT(BytesAllocatedBy<Safetensors>(
                SafetensorsOf({Entry("a", "F32", "1000000,1000000", 0, 4000000000000)}, "")),
            kSmall);
}

TEST(Allocation, ArraysWhereTensorsShouldBeAreRefusedAtOnce) {
  std::string header = R"({"a":[0)";
  for (int i = 0; i < 500000; ++i) header += ",0";
  EXPECT_LT(BytesAllocatedBy<Safetensors>(SafetensorsFile(header + "]}", "")), kSmall);
}

// Processor seconds of the fastest of three runs.
double Seconds(const std::function<void()>& run) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const std::clock_t start = std::clock();
    run();
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return best;
}

std::string GgufOfKeys(size_t count) {
  std::vector<std::string> entries;
  for (size_t i = 0; i < count; ++i) entries.push_back(GgufEntry(fmt::format("key.{}", i), 0, "x"));
  return GgufBytes(entries, {}, "");
}

std::string GgufOfTensors(size_t count) {
  std::vector<std::string> tensors;
  for (size_t i = 0; i < count; ++i) {
    tensors.push_back(GgufTensor(fmt::format("tensor.{}", i), {8}, 0, i * 32));
  }
  return GgufBytes({}, tensors, Zeros(count * 32));
}

std::string SafetensorsOfTensors(size_t count) {
  std::vector<std::string> entries;
  for (size_t i = 0; i < count; ++i) {
    entries.push_back(Entry(fmt::format("tensor.{}", i), "U8", "1", i, i + 1));
  }
  return SafetensorsOf(entries, Zeros(count));
}

// Eight times the entries may cost 24 times the time (n log n and colder caches), not 64.
template <typename Reader>
void ExpectNearLinear(const std::function<std::string(size_t)>& make) {
  const std::string small = make(5000);
  const std::string large = make(40000);
  const auto parse = [](const std::string& file) {
    ASSERT_TRUE(Reader::Parse(AsBytes(file), "test", nullptr).ok());
  };
  const double small_time = Seconds([&] { parse(small); });
  const double large_time = Seconds([&] { parse(large); });
  EXPECT_LT(large_time, 24 * small_time + 0.005);
}

TEST(Growth, GgufKeys) { ExpectNearLinear<GgufFile>(GgufOfKeys); }
TEST(Growth, GgufTensors) { ExpectNearLinear<GgufFile>(GgufOfTensors); }
TEST(Growth, SafetensorsTensors) { ExpectNearLinear<Safetensors>(SafetensorsOfTensors); }

}  // namespace
}  // namespace ringlet
