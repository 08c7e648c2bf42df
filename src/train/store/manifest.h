// manifest.json of a checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ringlet {

inline constexpr std::string_view kCheckpointManifest = "manifest.json";

struct CheckpointFile {
  std::string name;
  uint64_t bytes = 0;
  uint64_t xxh3 = 0;
};

struct CheckpointManifest {
  int64_t step = 0;
  std::vector<CheckpointFile> files;  // by name
};

// Letters, digits, '.', '-' and '_', a letter first, at most 100: never a path elsewhere.
bool IsCheckpointFileName(std::string_view name);

std::string CheckpointManifestText(const CheckpointManifest& manifest);
// Errors name `source` and the field; text that was changed in any place is refused.
Result<CheckpointManifest> ParseCheckpointManifest(std::string_view text,
                                                   const std::string& source);

}  // namespace ringlet
