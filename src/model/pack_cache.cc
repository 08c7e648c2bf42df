#include "model/pack_cache.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/hasher.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

// Raise when the layouts, or the choice of layouts, change.
constexpr int kPackingVersion = 3;
constexpr std::string_view kSuffix = ".packed.safetensors";

std::string FileStamp(const fs::path& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  const auto time = fs::last_write_time(path, error).time_since_epoch().count();
  return fmt::format("{} {} {}\n", path.filename().string(), size, time);
}

// Weights and configuration; not what is written beside them in use.
std::vector<std::string> Stamps(const std::string& path) {
  std::vector<std::string> stamps;
  std::error_code error;
  if (!fs::is_directory(path, error)) return {FileStamp(path)};
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path extension = entry->path().extension();
    if (extension == ".safetensors" || entry->path().filename() == "config.json") {
      stamps.push_back(FileStamp(entry->path()));
    }
  }
  std::sort(stamps.begin(), stamps.end());
  return stamps;
}

// Recognises the checkpoint's path, whatever it holds.
std::string Stem(const Checkpoint& checkpoint) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(checkpoint.path, error);
  return fmt::format("{}-{:08x}", path.filename().string(),
                     static_cast<uint32_t>(HashText(path.string())));
}

}  // namespace

std::string PackCachePath(const std::string& directory, const Checkpoint& checkpoint) {
  std::string identity = fmt::format("packing {}\n", kPackingVersion);
  for (const std::string& stamp : Stamps(checkpoint.path)) identity += stamp;
  std::vector<std::string> names = checkpoint.tensors->Names();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const StoredTensor& tensor = *checkpoint.tensors->Find(name);
    identity += fmt::format("{} {} {}\n", name, Name(tensor.dtype), fmt::join(tensor.shape, "x"));
  }
  return fmt::format("{}/{}-{:016x}{}", directory, Stem(checkpoint), HashText(identity), kSuffix);
}

void RemoveOldPacks(const std::string& keep, const Checkpoint& checkpoint) {
  const fs::path kept(keep);
  const std::string stem = Stem(checkpoint) + "-";
  std::vector<fs::path> old;
  std::error_code error;
  for (fs::directory_iterator entry(kept.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool same = name.starts_with(stem) && name.ends_with(kSuffix) &&
                      name.size() == stem.size() + 16 + kSuffix.size();
    if (same && name != kept.filename()) old.push_back(entry->path());
  }
  for (const fs::path& path : old) fs::remove(path, error);
}

bool RoomForPack(const std::string& directory, uint64_t bytes) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return false;
  const fs::space_info space = fs::space(directory, error);
  return !error && space.available > bytes + bytes / 10;
}

}  // namespace ringlet
