#include "nn/activations.h"

#include <algorithm>
#include <vector>

namespace ringlet {

void Activations::Assign(const float* x, int64_t rows, int64_t k) {
  x_ = x;
  rows_ = rows;
  k_ = k;
  std::fill(std::begin(ready_), std::end(ready_), false);
}

const PreparedRows& Activations::For(Context& context, PackedFormat format) {
  const auto index = static_cast<size_t>(format);
  if (!ready_[index]) {
    PrepareRows(context, format, x_, rows_, k_, &prepared_[index]);
    ready_[index] = true;
  }
  return prepared_[index];
}

const PreparedRows& Activations::For(Context& context, const PackedMatrix& weights,
                                     ActivationObserver* observer) {
  if (observer != nullptr) {
    std::vector<const float*> rows;
    for (int64_t row = 0; row < rows_; ++row) rows.push_back(x_ + row * k_);
    observer->Observe(weights, rows);
  }
  return For(context, weights.format);
}

}  // namespace ringlet
