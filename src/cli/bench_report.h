// What a benchmark measured, as a table and as JSON.
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
  int64_t packed_bytes = 0;
  std::vector<BenchPoint> points;
};

// The limits, one line each.
std::string LimitsText(const MachineLimits& limits);
OrderedJson LimitsJson(const MachineLimits& limits);

// One line for each point; with several results also the ratio to the first one.
std::string BenchText(const std::vector<BenchResult>& results);
OrderedJson BenchJson(const BenchResult& result);

}  // namespace ringlet::cli
