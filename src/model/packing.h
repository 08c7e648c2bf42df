// Packing: from stored tensors to the layouts of the GEMM kernels.
#pragma once

#include <vector>

#include "model/model.h"
#include "model/weights.h"
#include "ops/gemm/packed_matrix.h"

namespace ringlet {

// What `matrix` becomes. With kF32 everything is widened to fp32. With kBf16: BF16 becomes kBf16
// and block-scaled FP8 keeps its codes and scales (kFp8), but both together become kBf16; block
// formats of GGUF keep their codes (kQuant; segments of different formats meet in the smallest
// layout that holds both exactly); F32 and F16 become kF32, which loses nothing.
struct PackingPlan {
  PackedFormat format = PackedFormat::kF32;
  QuantLayout quant;
};
PackingPlan PlanPacking(const MatrixRef& matrix, ComputeType compute);

PackedMatrix PackWeights(Context& context, const MatrixRef& matrix, const PackingPlan& plan);

// A whole vector (norm weight, bias) in fp32.
std::vector<float> DecodeVector(const StoredTensor* tensor);

}  // namespace ringlet
