#include "base/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include "base/aligned.h"

namespace ringlet {
namespace {

// The value of "<key> <kB> kB" in a file of /proc, in bytes.
uint64_t ProcKilobytes(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    uint64_t kilobytes = 0;
    if (word == key && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

constexpr size_t kHugePage = size_t{2} << 20;
// From here on what rounding up to whole huge pages wastes is small.
constexpr size_t kManyHugePages = 4 * kHugePage;

}  // namespace

void* AllocateAligned(size_t bytes) {
  if (bytes < kManyHugePages) return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  const size_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, rounded);
  // Advice only: without huge pages the memory is as good, and slower.
  if (memory != nullptr) (void)::madvise(memory, rounded, MADV_HUGEPAGE);
  return memory;
}

void ReadSoon(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  // The kernel cuts a longer request to the length of its own read-ahead.
  constexpr size_t kPiece = size_t{128} << 10;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto end = reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size();
  uintptr_t at = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  for (; at < end; at += kPiece) {
    (void)::madvise(reinterpret_cast<void*>(at), std::min<size_t>(kPiece, end - at), MADV_WILLNEED);
  }
}

uint64_t AvailableMemory() { return ProcKilobytes("/proc/meminfo", "MemAvailable:"); }

uint64_t UsableMemory() {
  const uint64_t available = AvailableMemory();
  return available == 0 ? std::numeric_limits<uint64_t>::max() : available / 10 * 9;
}

uint64_t PeakResidentBytes() { return ProcKilobytes("/proc/self/status", "VmHWM:"); }

}  // namespace ringlet
