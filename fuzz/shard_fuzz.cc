// Input: a shard, or the text of a data directory's manifest when it starts with '{'. A shard is
// also tried with its checksums made right, or damage would never get beyond them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <xxhash.h>

#include "base/check.h"
#include "train/data/manifest.h"
#include "train/data/shard.h"

namespace {

using namespace ringlet;

constexpr size_t kHeaderBytes = 128;
constexpr size_t kDocumentsAt = 24;
constexpr size_t kOffsetsHashAt = 64;
constexpr size_t kHeaderHashAt = 120;

void ParseManifestText(std::string_view text) {
  const auto manifest = ParseManifest(text, "fuzz.json");
  if (!manifest.ok()) return;
  for (const Split split : kSplits) {
    for (const ShardEntry& entry : manifest->Of(split)) {
      RINGLET_CHECK(entry.file.find('/') == std::string::npos, "a shard must not be a path");
    }
  }
}

void ReadShard(std::span<const std::byte> bytes) {
  const auto parsed = Shard::Parse(bytes, "fuzz", nullptr);
  if (!parsed.ok()) return;
  const Shard& shard = **parsed;
  std::vector<int32_t> ids;
  for (uint64_t d = 0; d < shard.header().documents; ++d) {
    const uint64_t begin = shard.DocumentStart(d);
    RINGLET_CHECK(shard.FirstDocumentFrom(begin) == d, "a document is found where it begins");
    ids.resize(shard.DocumentStart(d + 1) - begin);
    if (!shard.Read(begin, ids).ok()) return;
  }
  (void)shard.Verify();
}

void MendChecksums(std::vector<std::byte>& bytes) {
  uint64_t documents = 0;
  std::memcpy(&documents, bytes.data() + kDocumentsAt, sizeof(documents));
  const size_t most = (bytes.size() - kHeaderBytes) / sizeof(uint64_t);
  const size_t offsets = static_cast<size_t>(std::min<uint64_t>(documents, most)) + 1;
  const size_t size = std::min(offsets * sizeof(uint64_t), bytes.size() - kHeaderBytes);
  const uint64_t offsets_hash = XXH3_64bits(bytes.data() + bytes.size() - size, size);
  std::memcpy(bytes.data() + kOffsetsHashAt, &offsets_hash, sizeof(offsets_hash));
  const uint64_t header_hash = XXH3_64bits(bytes.data(), kHeaderHashAt);
  std::memcpy(bytes.data() + kHeaderHashAt, &header_hash, sizeof(header_hash));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0 && data[0] == '{') {
    ParseManifestText({reinterpret_cast<const char*>(data), size});
    return 0;
  }
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  ReadShard(bytes);
  if (size < kHeaderBytes) return 0;
  std::vector<std::byte> mended(bytes.begin(), bytes.end());
  MendChecksums(mended);
  ReadShard(mended);
  return 0;
}
