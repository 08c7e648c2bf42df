// Documents to a data directory: shards of token ids and the manifest that lists them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "io/tokenizer.h"
#include "train/data/documents.h"
#include "train/data/manifest.h"

namespace ringlet {

struct ShardBuildOptions {
  DocumentOptions documents = {};
  bool skip_bad = false;  // leave out and count documents that cannot be read instead of failing
  // The share of documents, 0 to below 1, that go to Split::kHeldOut. A document's hash decides:
  // equal documents go to the same split, whatever else is in the data.
  double held_out = 0;
  std::optional<int32_t> end_id = std::nullopt;  // behind each document
  uint64_t shard_tokens = uint64_t{1} << 24;     // a shard ends with the document that fills it
  uint64_t batch_bytes = uint64_t{8} << 20;      // of text in work at once; any gives equal bytes
  // Bytes read so far and in all. Returning false stops with kCancelled.
  std::function<bool(uint64_t done, uint64_t total)> progress = {};
};

struct ShardBuildReport {
  DataManifest manifest;
  uint64_t resumed_shards = 0;  // finished by an earlier run
  bool restarted = false;       // shards of an earlier run were damaged, all was done again
};

// Writes `directory`, which must be new, empty, or left by an earlier run with equal arguments:
// an interrupted one is continued, a finished one is left as it is. The bytes of the result depend
// on the texts, the tokenizer and the options, not on threads or interruptions. Documents of white
// space only are left out and counted; text that spells special tokens stays text.
// Errors: what DocumentReader and Tokenizer::Encode report, a directory with anything else in it,
// an end token that is not in the vocabulary, no documents, whatever the disk says.
Result<ShardBuildReport> BuildShards(const Tokenizer& tokenizer,
                                     const std::vector<SourceFile>& files,
                                     const std::string& directory, const ShardBuildOptions& options,
                                     ThreadPool& pool);

}  // namespace ringlet
