#include "base/memory.h"

#include <fstream>
#include <string>

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

}  // namespace

uint64_t AvailableMemory() { return ProcKilobytes("/proc/meminfo", "MemAvailable:"); }

uint64_t PeakResidentBytes() { return ProcKilobytes("/proc/self/status", "VmHWM:"); }

}  // namespace ringlet
