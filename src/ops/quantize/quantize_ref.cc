#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/quantize/quantize.h"

namespace ringlet {

void FitInt4Ref(const FitInt4Args& args, double* errors) {
  for (int64_t first = 0; first < args.n; first += args.group) {
    double least = std::numeric_limits<double>::infinity();
    for (int step = -static_cast<int>(kStepTop); step <= static_cast<int>(kStepTop); ++step) {
      double error = 0;
      for (int64_t i = first; i < first + args.group; ++i) {
        const double x = args.x[i];
        const double code = step == 0 ? 0 : std::clamp(std::nearbyint(x / step), -8.0, 7.0);
        error +=
            (args.weight == nullptr ? 1.0 : args.weight[i]) * (x - step * code) * (x - step * code);
      }
      least = std::min(least, error);
    }
    errors[first / args.group] = least;
  }
}

}  // namespace ringlet
