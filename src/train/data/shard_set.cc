#include "train/data/shard_set.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/checked.h"
#include "base/file.h"
#include "base/hasher.h"

namespace ringlet {
namespace {

Status CompareWithManifest(const Shard& shard, const ShardEntry& entry,
                           const DataManifest& manifest) {
  const ShardHeader& header = shard.header();
  const auto compare = [&](std::string_view field, uint64_t found, uint64_t expected) {
    if (found == expected) return Status::Ok();
    return BadInput(shard.source(), field, fmt::to_string(found),
                    fmt::format("{} as {} says", expected, kManifestName));
  };
  RINGLET_RETURN_IF_ERROR(compare("vocabulary", header.vocabulary, manifest.vocabulary));
  RINGLET_RETURN_IF_ERROR(compare("vocab_size", header.vocab_size, manifest.vocab_size));
  RINGLET_RETURN_IF_ERROR(compare("tokens", header.tokens, entry.tokens));
  RINGLET_RETURN_IF_ERROR(compare("documents", header.documents, entry.documents));
  RINGLET_RETURN_IF_ERROR(compare("text_bytes", header.text_bytes, entry.text_bytes));
  return compare("tokens_hash", header.tokens_hash, entry.tokens_hash);
}

}  // namespace

Result<DataManifest> ReadManifest(const std::string& directory) {
  const std::string path = fmt::format("{}/{}", directory, kManifestName);
  if (!FileExists(path) && FileExists(fmt::format("{}/{}", directory, kPartialManifestName))) {
    return BadInput(directory, "", "data of an interrupted run",
                    "a finished one: the same command continues it");
  }
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseManifest(text, path);
}

Result<std::shared_ptr<const ShardSet>> ShardSet::Open(const std::string& directory, Split split) {
  RINGLET_ASSIGN_OR_RETURN(DataManifest manifest, ReadManifest(directory));
  std::shared_ptr<ShardSet> set(new ShardSet());
  set->directory_ = directory;
  set->manifest_ = std::move(manifest);
  std::vector<uint64_t> identity = {set->manifest_.vocabulary};
  uint64_t tokens = 0;
  set->first_.push_back(0);
  for (const ShardEntry& entry : set->manifest_.Of(split)) {
    RINGLET_ASSIGN_OR_RETURN(std::shared_ptr<const Shard> shard,
                             Shard::Open(fmt::format("{}/{}", directory, entry.file)));
    RINGLET_RETURN_IF_ERROR(CompareWithManifest(*shard, entry, set->manifest_));
    const auto sum = CheckedAdd(tokens, shard->header().tokens);
    if (!sum) return BadInput(shard->source(), "tokens", "more than 2^64 in all", "fewer");
    tokens = *sum;
    set->text_bytes_ += entry.text_bytes;
    set->first_.push_back(tokens);
    for (const uint64_t value :
         {shard->header().tokens, shard->header().tokens_hash, shard->header().offsets_hash}) {
      identity.push_back(value);
    }
    set->shards_.push_back(std::move(shard));
  }
  if (set->shards_.empty()) {
    return BadInput(directory, Name(split), "no documents", "at least one");
  }
  set->fingerprint_ = HashBytes(std::as_bytes(std::span(identity)));
  return std::shared_ptr<const ShardSet>(std::move(set));
}

size_t ShardSet::ShardOf(uint64_t token) const {
  const auto after = std::ranges::upper_bound(first_, token);
  return std::min(static_cast<size_t>(after - first_.begin()) - 1, shards_.size() - 1);
}

Status ShardSet::Read(uint64_t begin, std::span<int32_t> out) const {
  RINGLET_CHECK(begin <= tokens() && out.size() <= tokens() - begin, "tokens outside the stream");
  for (size_t s = ShardOf(begin); !out.empty(); ++s) {
    const size_t count = static_cast<size_t>(std::min<uint64_t>(out.size(), first_[s + 1] - begin));
    RINGLET_RETURN_IF_ERROR(shards_[s]->Read(begin - first_[s], out.first(count)));
    out = out.subspan(count);
    begin += count;
  }
  return Status::Ok();
}

void ShardSet::DocumentStarts(uint64_t begin, uint64_t end, std::vector<uint64_t>& starts) const {
  for (size_t s = ShardOf(begin); s < shards_.size() && first_[s] < end; ++s) {
    const Shard& shard = *shards_[s];
    const uint64_t from = begin > first_[s] ? begin - first_[s] : 0;
    for (uint64_t d = shard.FirstDocumentFrom(from); d < shard.header().documents; ++d) {
      const uint64_t start = first_[s] + shard.DocumentStart(d);
      if (start >= end) break;
      starts.push_back(start);
    }
  }
}

Status ShardSet::Verify() const {
  for (const auto& shard : shards_) RINGLET_RETURN_IF_ERROR(shard->Verify());
  return Status::Ok();
}

}  // namespace ringlet
