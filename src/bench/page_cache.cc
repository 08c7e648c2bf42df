#include "bench/page_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "model/pack_cache.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

}  // namespace

double CachedShare(const std::vector<std::string>& files) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t total = 0;
  size_t cached = 0;
  for (const std::string& path : files) {
    const auto file = MappedFile::Open(path);
    if (!file.ok()) return -1;
    const std::span<const std::byte> bytes = file.value()->bytes();
    std::vector<unsigned char> resident((bytes.size() + page - 1) / page);
    void* begin = const_cast<std::byte*>(bytes.data());
    if (mincore(begin, bytes.size(), resident.data()) != 0) return -1;
    total += resident.size();
    cached += static_cast<size_t>(std::count_if(resident.begin(), resident.end(),
                                                [](unsigned char flags) { return flags & 1; }));
  }
  return total == 0 ? -1 : static_cast<double>(cached) / static_cast<double>(total);
}

std::vector<std::string> WeightFiles(const Checkpoint& checkpoint, const std::string& cache) {
  if (!cache.empty() && checkpoint.packed == nullptr) {
    const std::string packed = PackCachePath(cache, checkpoint);
    if (FileExists(packed)) return {packed};
  }
  if (!IsDirectory(checkpoint.path)) return {checkpoint.path};
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator entry(checkpoint.path, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".safetensors") files.push_back(entry->path().string());
  }
  return files;
}

}  // namespace ringlet
