#include "nn/activations.h"

#include <vector>

namespace ringlet {

void Activations::Assign(const float* x, int64_t rows, int64_t k, PreparedSet& prepared) {
  x_ = x;
  rows_ = rows;
  k_ = k;
  source_.fill = nullptr;
  prepared_ = &prepared;
  ready_.fill(false);
}

void Activations::Assign(RowSource source, PreparedSet& prepared) {
  values_.Reset(static_cast<size_t>(source.rows * source.k));
  Assign(values_.data(), source.rows, source.k, prepared);
  source_ = std::move(source);
}

const PreparedRows& Activations::For(Context& context, PackedFormat weights) {
  const PackedFormat format = RowFormat(weights);
  const auto index = static_cast<size_t>(format);
  PreparedRows& prepared = (*prepared_)[index];
  if (ready_[index]) return prepared;
  if (source_.fill) {
    PrepareRows(context, format, source_, values_.data(), &prepared);
    source_.fill = nullptr;
  } else {
    PrepareRows(context, format, x_, rows_, k_, &prepared);
  }
  ready_[index] = true;
  return prepared;
}

const PreparedRows& Activations::For(Context& context, const PackedMatrix& weights,
                                     ActivationObserver* observer) {
  const PreparedRows& prepared = For(context, weights.format);
  if (observer != nullptr) {
    std::vector<const float*> rows;
    for (int64_t row = 0; row < rows_; ++row) rows.push_back(x_ + row * k_);
    observer->Observe(weights, rows);
  }
  return prepared;
}

}  // namespace ringlet
