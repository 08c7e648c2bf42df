// Median and range of repeated measurements.
#pragma once

#include <vector>

namespace ringlet {

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

// Of a non-empty list.
Spread SpreadOf(std::vector<double> values);

}  // namespace ringlet
