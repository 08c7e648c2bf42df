// Load on an OpenAI-compatible server, and what became of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/load/options.h"
#include "server/load/sample.h"

namespace ringlet {

struct LoadProgress {
  bool warming_up = false;
  int64_t done = 0;    // requests
  int64_t failed = 0;  // of these; the refused ones not among them
  int64_t under_way = 0;
  double share = 0;  // of all that is to be done, 0 to 1
  double seconds = 0;
};

// Called about ten times a second; false ends the load, and what was under way is dropped.
using LoadWatch = std::function<bool(const LoadProgress&)>;

struct LoadResult {
  std::string model;
  double seconds = 0;               // from the first request's time to the last answer's end
  bool interrupted = false;         // by the watch
  std::vector<LoadSample> samples;  // in the order of their ends
};

// Runs the load from one thread. Failures of requests are samples. Errors: options that make no
// load, a host that does not resolve, and a server that does not list its models or tokenize.
Result<LoadResult> RunLoad(const ServerUrl& url, const LoadTestOptions& options,
                           const LoadWatch& watch);

}  // namespace ringlet
