// Calibration: which input channels of each matrix matter, from running a text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "base/status.h"
#include "engine/engine.h"
#include "model/quantize.h"

namespace ringlet {

struct CalibrationOptions {
  // The text is cut into sequences of at most this many tokens, so that every part has a context
  // and none costs more than the others.
  int64_t window = 4096;
  // Tokens computed and in all. Returning false stops with kCancelled.
  std::function<bool(int64_t done, int64_t total)> progress = {};
};

// For each matrix that saw a token: the mean square of each of its inputs, as a multiple of their
// mean, plus 1/100 so that no channel counts for nothing. Experts without tokens have no entry.
// Memory: 8 bytes for each input of each matrix. The same numbers for any number of threads.
Result<ImportanceMap> MeasureImportance(Engine& engine, std::span<const int32_t> tokens,
                                        const CalibrationOptions& options);

}  // namespace ringlet
