#include <bit>
#include <cmath>

#include "ops/moe/combine_backward_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/norm/rms.inl.h"

float Slot(const float* dout, const float* projected, float weight, int64_t n, float* dprojected) {
  const F32 factor = Set(weight);
  F32 inner = Zero();
  ForEachVector(n, [&](int64_t i, int count) {
    const F32 g = LoadN(dout + i, count);
    inner = Fma(g, LoadN(projected + i, count), inner);
    StoreN(Mul(g, factor), dprojected + i, count);
  });
  return ReduceAdd(inner);
}

void Sum(const float* slots, int64_t count, int64_t n, bool add, float* dx) {
  ForEachVector(n, [&](int64_t i, int lanes) {
    F32 sum = LoadN(slots + i, lanes);
    for (int64_t s = 1; s < count; ++s) sum = Add(sum, LoadN(slots + s * n + i, lanes));
    StoreN(add ? Add(LoadN(dx + i, lanes), sum) : sum, dx + i, lanes);
  });
}

}  // namespace

extern const CombineBackwardKernels kCombineBackwardKernels;
constinit const CombineBackwardKernels kCombineBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .slot = Slot,
    .sum = Sum,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
