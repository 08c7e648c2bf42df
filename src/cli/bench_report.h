// What a benchmark measured, as a table, as JSON and as a plot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/bench_run.h"

namespace ringlet::cli {

struct BenchResult {
  std::string path;
  double load_seconds = 0;
  // To have every page of the weights in memory after that.
  double touch_seconds = 0;
  // Of the weights' files, in memory before loading; negative: unknown.
  double cached_share = -1;
  int64_t packed_bytes = 0;
  // Weights, and keys, values and states of the largest point.
  int64_t expected_bytes = 0;
  int64_t layers = 0;        // that are there
  int64_t whole_layers = 0;  // that speeds are scaled to
  std::vector<BenchPoint> points;

  bool scaled() const { return layers != whole_layers; }
};

// One line for each point; from the second result on also the first one's speed over its own.
// Models with some of their layers are compared by the speed that all of them would have.
std::string BenchText(const std::vector<BenchResult>& results);
// `first`: the result that ratios are to; null for itself.
OrderedJson BenchJson(const BenchResult& result, const BenchResult* first);

// Tokens per second by depth and by length of prompt, with the rooflines; of all layers.
std::string BenchSvg(const std::vector<BenchResult>& results);

}  // namespace ringlet::cli
