#include "nn/activations.h"

#include <algorithm>

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

}  // namespace ringlet
