#include "bench/page_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <span>
#include <type_traits>
#include <variant>

#include "base/file.h"
#include "model/pack_cache.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPart = int64_t{2} << 20;

// Every matrix of a block, but for experts that stay on disk until they are chosen.
void AddMatrices(const Block& block, std::vector<const PackedMatrix*>* out) {
  std::visit(
      [&](const auto& mixer) {
        out->insert(out->end(), {&mixer.qkv, &mixer.out});
        if constexpr (std::is_same_v<std::decay_t<decltype(mixer)>, LightningMixer>) {
          out->push_back(&mixer.gate);
        }
      },
      block.mixer);
  const auto add = [&](const Mlp& mlp) { out->insert(out->end(), {&mlp.gate_up, &mlp.down}); };
  if (const auto* mlp = std::get_if<Mlp>(&block.feed_forward)) return add(*mlp);
  const Moe& moe = std::get<Moe>(block.feed_forward);
  out->push_back(&moe.router);
  if (!moe.read_ahead) {
    for (const Mlp& expert : moe.experts) add(expert);
  }
  if (moe.shared) add(*moe.shared);
}

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

void TouchWeights(Context& context, const PackedModel& model) {
  std::vector<const PackedMatrix*> matrices;
  for (const Block& block : model.blocks) AddMatrices(block, &matrices);
  matrices.push_back(&model.head);
  // In the order of the file and in parts of about one size: disks like that.
  std::sort(matrices.begin(), matrices.end(), [](const PackedMatrix* a, const PackedMatrix* b) {
    return a->data.data() < b->data.data();
  });
  std::vector<std::span<const std::byte>> parts;
  for (const PackedMatrix* matrix : matrices) {
    const std::span<const std::byte> bytes = matrix->data.span();
    for (size_t at = 0; at < bytes.size(); at += kPart) {
      parts.push_back(bytes.subspan(at, std::min<size_t>(kPart, bytes.size() - at)));
    }
  }
  std::atomic<unsigned> sum{0};
  context.pool.ParallelFor(static_cast<int64_t>(parts.size()), [&](int64_t i, int) {
    const std::span<const std::byte> part = parts[static_cast<size_t>(i)];
    unsigned own = 0;
    for (size_t at = 0; at < part.size(); at += 4096) own += static_cast<unsigned>(part[at]);
    // Somebody has to want what was read.
    sum.fetch_add(own, std::memory_order_relaxed);
  });
}

}  // namespace ringlet
