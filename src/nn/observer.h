// ActivationObserver: sees what every matrix of a model multiplies. For calibration and inspection;
// where none is set (Workspace::observer) nothing is computed for it.
#pragma once

#include <cstdint>
#include <span>

#include "ops/gemm/packed_matrix.h"

namespace ringlet {

class ActivationObserver {
 public:
  virtual ~ActivationObserver() = default;
  // `weights` is about to multiply these rows of weights.k fp32 values, which are valid during the
  // call. On the thread that drives the forward pass.
  virtual void Observe(const PackedMatrix& weights, std::span<const float* const> rows) = 0;
};

}  // namespace ringlet
