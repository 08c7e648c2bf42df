// The report of a run: one HTML page without scripts or links, for light and dark screens.
#pragma once

#include <string>

#include "train/log/run_log.h"

namespace ringlet {

// Curves of loss, learning rate, gradient norm, throughput and expert load from the log of a run;
// also of one that still goes on. Text from the log is escaped.
std::string RenderReport(const RunHistory& history);

}  // namespace ringlet
