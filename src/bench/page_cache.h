// What the operating system holds of files in memory.
#pragma once

#include <string>
#include <vector>

#include "model/checkpoint.h"

namespace ringlet {

// The share of the files' bytes that is in the page cache; negative if that cannot be known.
double CachedShare(const std::vector<std::string>& files);

// Files that loading `checkpoint` reads weights from: what was packed for it in the directory
// `cache` (empty: none), else its own.
std::vector<std::string> WeightFiles(const Checkpoint& checkpoint, const std::string& cache);

}  // namespace ringlet
