// Every weight of a configuration, under the names of model/weight_source.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace ringlet {

struct ListedWeight {
  std::string name;
  int64_t rows = 0;  // 1 for a vector
  int64_t cols = 0;
  bool vector = false;
  bool multiplied = false;  // a matrix of a GEMM
  bool router = false;
};

// In the order of the layers. A tied embedding is listed twice: "embedding", and "head", which is
// multiplied.
std::vector<ListedWeight> ListWeights(const ModelConfig& config);

}  // namespace ringlet
