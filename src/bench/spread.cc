#include "bench/spread.h"

#include <algorithm>

#include "base/check.h"

namespace ringlet {

Spread SpreadOf(std::vector<double> values) {
  RINGLET_CHECK(!values.empty(), "values to summarise");
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
  return {.median = median, .min = values.front(), .max = values.back()};
}

}  // namespace ringlet
