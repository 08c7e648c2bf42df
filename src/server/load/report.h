// The numbers of a load test.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "server/load/generator.h"

namespace ringlet {

// Of all values, not of buckets. A percentile is the least value that so many percent of the values
// do not exceed. All zero without values.
struct Summary {
  int64_t count = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double max = 0;
};

Summary Summarize(std::vector<double> values);

struct LoadReport {
  std::string model;
  double seconds = 0;
  int64_t completed = 0;
  int64_t refused = 0;
  int64_t failed = 0;
  // Of the completed requests, as the following.
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t answer_tokens = 0;
  Summary first_token;     // seconds
  Summary between_tokens;  // all gaps of all answers
  Summary latency;
  std::map<std::string, int64_t> errors;  // how often each was seen; at most 20 different ones
};

LoadReport MakeReport(const LoadResult& result);

// A table that ends with a line end.
std::string ReportText(const LoadReport& report);
// Times in milliseconds.
OrderedJson ReportJson(const LoadReport& report);

}  // namespace ringlet
