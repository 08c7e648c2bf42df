#include "engine/calibration.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/named_matrices.h"
#include "nn/observer.h"

namespace ringlet {
namespace {

// Added to every channel, as a share of the mean.
constexpr double kFloor = 0.01;
// Tokens between two calls of progress.
constexpr int64_t kStep = 512;

class SquareSums : public ActivationObserver {
 public:
  void Observe(const PackedMatrix& weights, std::span<const float* const> rows) override {
    std::vector<double>& sums = sums_[&weights];
    sums.resize(static_cast<size_t>(weights.k), 0.0);
    for (const float* row : rows) {
      for (size_t i = 0; i < sums.size(); ++i) {
        sums[i] += static_cast<double>(row[i]) * static_cast<double>(row[i]);
      }
    }
  }

  // Empty: the matrix saw nothing, or nothing but zeros.
  std::vector<float> Importance(const PackedMatrix& weights) const {
    const auto found = sums_.find(&weights);
    if (found == sums_.end()) return {};
    double total = 0;
    for (const double sum : found->second) total += sum;
    if (!(total > 0)) return {};
    const double mean = total / static_cast<double>(found->second.size());
    std::vector<float> importance;
    importance.reserve(found->second.size());
    for (const double sum : found->second) {
      importance.push_back(static_cast<float>(sum / mean + kFloor));
    }
    return importance;
  }

 private:
  std::unordered_map<const PackedMatrix*, std::vector<double>> sums_;
};

Status RunText(Engine& engine, std::span<const int32_t> tokens, const CalibrationOptions& options) {
  const int64_t count = std::ssize(tokens);
  for (int64_t begin = 0; begin < count; begin += options.window) {
    Sequence sequence = engine.NewSequence();
    const int64_t end = std::min(count, begin + options.window);
    for (int64_t at = begin; at < end; at += kStep) {
      // All rows, so that the head is seen too.
      Feed feed;
      feed.sequence = &sequence;
      feed.tokens =
          tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(kStep, end - at)));
      feed.rows = LogitRows::kAll;
      RINGLET_RETURN_IF_ERROR(engine.Step(std::span<const Feed>(&feed, 1)));
      if (options.progress && !options.progress(at + std::ssize(feed.tokens), count)) {
        return Status(StatusCode::kCancelled, "calibration was stopped");
      }
    }
  }
  return Status::Ok();
}

}  // namespace

Result<ImportanceMap> MeasureImportance(Engine& engine, std::span<const int32_t> tokens,
                                        const CalibrationOptions& options) {
  SquareSums sums;
  engine.SetObserver(&sums);
  const Status status = RunText(engine, tokens, options);
  engine.SetObserver(nullptr);
  RINGLET_RETURN_IF_ERROR(status);
  ImportanceMap importance;
  for (const auto& [name, matrix] : NamedMatrices(engine.model().packed())) {
    std::vector<float> values = sums.Importance(*matrix);
    if (!values.empty()) importance.emplace(name, std::move(values));
  }
  return importance;
}

}  // namespace ringlet
