// TrainedMatrix: fp32 master weights as the GEMM kernels want them, for both directions.
//
//   forward()     [n, k]: byte for byte what PackFloat makes of the master weights, so that a
//                 trainer's forward pass is the engine's
//   transposed()  [k, n]: dx = Gemm(transposed(), dy), the gradient of the inputs
// Both hold the same values: those of the master weights, rounded to the format.
#pragma once

#include <memory>

#include "ops/gemm/packed_matrix.h"

namespace ringlet {

class TrainedMatrix {
 public:
  // kF32 or kBf16. Empty until Pack.
  TrainedMatrix(PackedFormat format, int64_t n, int64_t k);

  // master [n, k], row-major. Writes into the same memory each time: copies of the matrices see it.
  void Pack(Context& context, const float* master);

  const PackedMatrix& forward() const { return forward_; }
  const PackedMatrix& transposed() const { return transposed_; }

 private:
  std::shared_ptr<AlignedBuffer<std::byte>> forward_bytes_;
  std::shared_ptr<AlignedBuffer<std::byte>> transposed_bytes_;
  PackedMatrix forward_;
  PackedMatrix transposed_;
};

}  // namespace ringlet
