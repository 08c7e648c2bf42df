#include "train/step/weight_list.h"

#include <utility>

#include "model/build.h"

namespace ringlet {
namespace {

// Hears of every weight of a configuration.
class Lister : public WeightSource {
 public:
  PackedMatrix Layout(const MatrixRequest& request) override {
    return {.n = request.n, .k = request.k};
  }
  PackedMatrix Matrix(const MatrixRequest& request) override {
    weights.push_back({.name = request.name,
                       .rows = request.n,
                       .cols = request.k,
                       .multiplied = true,
                       .router = request.role == MatrixRole::kRouter});
    return Layout(request);
  }
  std::vector<float> Vector(const std::string& name, int64_t n) override {
    weights.push_back({.name = name, .rows = 1, .cols = n, .vector = true});
    return std::vector<float>(static_cast<size_t>(n));
  }
  RowTable Rows(const std::string& name, int64_t rows, int64_t cols) override {
    weights.push_back({.name = name, .rows = rows, .cols = cols});
    return {};
  }

  std::vector<ListedWeight> weights;
};

}  // namespace

std::vector<ListedWeight> ListWeights(const ModelConfig& config) {
  Lister lister;
  BuildPackedModel(config, KvType::kBf16, lister);
  return std::move(lister.weights);
}

}  // namespace ringlet
