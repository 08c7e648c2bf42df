// What one pass of training sees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringlet {

// Documents one after another. State, attention and positions restart at each.
struct TrainingBatch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> labels;  // of each token: what should follow, or -1
  std::vector<int64_t> starts;  // of the documents, ascending, the first 0

  int64_t rows() const { return static_cast<int64_t>(tokens.size()); }
  int64_t EndOf(size_t document) const {
    return document + 1 < starts.size() ? starts[document + 1] : rows();
  }
};

}  // namespace ringlet
