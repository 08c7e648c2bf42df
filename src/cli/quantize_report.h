// What quantizing did, for people and programs.
#pragma once

#include <string>

#include "base/json.h"
#include "model/quantize.h"

namespace ringlet::cli {

// One line for each kind of tensor (names that differ in numbers only), then the total. `all`: one
// line for each tensor.
std::string QuantizeTable(const QuantizeReport& report, bool all);

OrderedJson QuantizeReportJson(const QuantizeReport& report);

}  // namespace ringlet::cli
