// What the operating system holds of files in memory, and bringing it there.
#pragma once

#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "model/packed.h"
#include "ops/context.h"

namespace ringlet {

// The share of the files' bytes that is in the page cache; negative if that cannot be known.
double CachedShare(const std::vector<std::string>& files);

// Files that loading `checkpoint` reads weights from: what was packed for it in the directory
// `cache` (empty: none), else its own.
std::vector<std::string> WeightFiles(const Checkpoint& checkpoint, const std::string& cache);

// Touches every page of the model's matrices, so that what is timed next finds them in memory;
// experts that are read from disk as they are chosen stay there.
void TouchWeights(Context& context, const PackedModel& model);

}  // namespace ringlet
