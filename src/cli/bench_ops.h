// `ringlet bench --ops`: every operator of a model, held against the machine's limits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "bench/op_measure.h"
#include "bench/op_shapes.h"
#include "cli/command.h"
#include "ops/limits/limits.h"

namespace ringlet::cli {

struct OpsRequest {
  std::string only;             // cases whose name contains this; empty: all
  std::vector<int64_t> depths;  // of attention
  double seconds = 0.15;        // of each case
};

struct OpsReport {
  std::string model;
  int64_t depth = 0;  // of the decode step that shares refer to
  std::vector<OpResult> results;
  bool whole = true;          // all operators: shares of a token have a meaning
  double measured_token = 0;  // seconds of a decode step at that depth; 0: not measured
};

// Errors: a usage error when no case's name contains `request.only`.
Result<OpsReport> RunOps(const ModelShapes& shapes, const OpsRequest& request, Context& context,
                         const MachineLimits& limits, const ReadProbe& probe,
                         const GlobalOptions& globals);

std::string OpsText(const OpsReport& report);
OrderedJson OpsJson(const OpsReport& report);

}  // namespace ringlet::cli
