// One split of a data directory as a single stream of tokens: its shards behind one another.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "train/data/manifest.h"
#include "train/data/shard.h"

namespace ringlet {

// Immutable; any number of threads may read one.
class ShardSet {
 public:
  // Opens every shard of the split and compares it with the manifest. Errors name the file: an
  // unfinished or absent manifest, a shard of another run or vocabulary, no shards.
  static Result<std::shared_ptr<const ShardSet>> Open(const std::string& directory, Split split);

  const std::string& directory() const { return directory_; }
  const DataManifest& manifest() const { return manifest_; }
  const std::vector<std::shared_ptr<const Shard>>& shards() const { return shards_; }
  uint64_t tokens() const { return first_.back(); }
  // Bytes of text; the tokens that end documents have none.
  double BytesPerToken() const {
    return static_cast<double>(text_bytes_) / static_cast<double>(tokens());
  }
  // A hash of the vocabulary and of every token: of what is read, not of where it lies.
  uint64_t fingerprint() const { return fingerprint_; }

  // Tokens [begin, begin + out.size()), which must be in the stream.
  Status Read(uint64_t begin, std::span<int32_t> out) const;
  // Appends the places in [begin, end) where a document begins, ascending.
  void DocumentStarts(uint64_t begin, uint64_t end, std::vector<uint64_t>& starts) const;

  // Reads all tokens: an error unless they are those that were written.
  Status Verify() const;

 private:
  ShardSet() = default;
  size_t ShardOf(uint64_t token) const;

  std::string directory_;
  DataManifest manifest_;
  std::vector<std::shared_ptr<const Shard>> shards_;
  std::vector<uint64_t> first_;  // of each shard, then the number of tokens
  uint64_t fingerprint_ = 0;
  uint64_t text_bytes_ = 0;
};

// The manifest of a finished data directory.
Result<DataManifest> ReadManifest(const std::string& directory);

}  // namespace ringlet
