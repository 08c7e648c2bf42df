// Measured limits and spreads as text and JSON, shared by the commands that print them.
#pragma once

#include <string>

#include "base/json.h"
#include "bench/spread.h"
#include "ops/isa.h"
#include "ops/limits/limits.h"

namespace ringlet::cli {

// The limits, one line each.
std::string LimitsText(const MachineLimits& limits);
OrderedJson LimitsJson(const MachineLimits& limits);

// The processor and the instruction set that runs, one line each.
std::string MachineText(const IsaChoice& isa);
// An object that begins with the program's version, the processor, the instruction set and the
// limits.
OrderedJson MachineJson(const IsaChoice& isa, const MachineLimits& limits);

OrderedJson SpreadJson(const Spread& spread);

}  // namespace ringlet::cli
