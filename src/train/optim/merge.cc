#include "train/optim/merge.h"

#include <algorithm>

#include "train/optim/schedule.h"

namespace ringlet {

std::vector<double> MergeCoefficients(DecayShape shape, int64_t count) {
  RINGLET_CHECK(count >= 1, "nothing to merge");
  const auto weight = [&](int64_t change) {
    return change >= count
               ? 0.0
               : DecayCurve(shape, static_cast<double>(change) / static_cast<double>(count));
  };
  std::vector<double> coefficients;
  for (int64_t j = 0; j < count; ++j) coefficients.push_back(weight(j) - weight(j + 1));
  return coefficients;
}

void MergeWeights(ThreadPool& pool, std::span<const std::span<const float>> sources,
                  std::span<const double> coefficients, std::span<float> out) {
  RINGLET_CHECK(sources.size() == coefficients.size(), "one coefficient for each source");
  for (const auto& source : sources) {
    RINGLET_CHECK(source.size() == out.size(), "weights of different sizes");
  }
  constexpr size_t kTask = 32768;
  const size_t tasks = (out.size() + kTask - 1) / kTask;
  if (tasks == 0) return;
  pool.ParallelFor(static_cast<int64_t>(tasks), [&](int64_t task, int) {
    const size_t begin = static_cast<size_t>(task) * kTask;
    const size_t end = std::min(out.size(), begin + kTask);
    for (size_t i = begin; i < end; ++i) {
      double sum = 0;
      for (size_t j = 0; j < sources.size(); ++j) sum += coefficients[j] * sources[j][i];
      out[i] = static_cast<float>(sum);
    }
  });
}

}  // namespace ringlet
