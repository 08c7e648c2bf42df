// The list of a data directory's shards: data.json, and while a run is unfinished
// data.partial.json.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "train/data/documents.h"
#include "train/data/shard.h"

namespace ringlet {

// Documents are in one of two splits; which one depends on the document's text alone.
enum class Split { kTrain, kHeldOut };
inline constexpr std::array kSplits = {Split::kTrain, Split::kHeldOut};
// "train", "heldout".
std::string_view Name(Split split);
std::optional<Split> SplitFromName(std::string_view name);

struct ShardEntry {
  std::string file;  // in the directory
  uint64_t tokens = 0;
  uint64_t documents = 0;
  uint64_t text_bytes = 0;
  uint64_t tokens_hash = 0;
};

struct DataManifest {
  std::string run;  // what was asked for; equal for equal texts, tokenizers and options
  uint64_t vocab_size = 0;
  uint64_t vocabulary = 0;        // VocabularyFingerprint
  std::optional<int32_t> end_id;  // behind each document
  uint64_t empty_documents = 0;   // left out
  uint64_t skipped_documents = 0;
  std::array<std::vector<ShardEntry>, kSplits.size()> splits;
  // Of an unfinished run, for each split: its documents before this one are in its shards.
  std::optional<std::array<DocumentPosition, kSplits.size()>> resume;

  const std::vector<ShardEntry>& Of(Split split) const {
    return splits[static_cast<size_t>(split)];
  }
};

// "train-00003.shard".
std::string ShardName(Split split, size_t index);

std::string ManifestText(const DataManifest& manifest);
// Errors name `source` and the field. File names are those of ShardName, so never paths elsewhere.
Result<DataManifest> ParseManifest(std::string_view text, const std::string& source);

inline constexpr std::string_view kManifestName = "data.json";
inline constexpr std::string_view kPartialManifestName = "data.partial.json";

}  // namespace ringlet
