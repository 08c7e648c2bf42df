#include <bit>
#include <cmath>

#include "ops/norm/norm_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/norm/rms.inl.h"

void RmsNormRow(const float* x, const float* weight, float* y, int64_t n, float eps) {
  const F32 inverse = Set(InverseRms(x, n, eps));
  ForEachVector(n, [&](int64_t i, int count) {
    const F32 scaled = Mul(LoadN(x + i, count), inverse);
    StoreN(Mul(scaled, LoadN(weight + i, count)), y + i, count);
  });
}

void NormGateRow(const float* x, const float* gate, const float* weight, float* y, int64_t n,
                 float eps) {
  const F32 inverse = Set(InverseRms(x, n, eps));
  ForEachVector(n, [&](int64_t i, int count) {
    const F32 scaled = Mul(Mul(LoadN(x + i, count), inverse), LoadN(weight + i, count));
    StoreN(Mul(scaled, Sigmoid(LoadN(gate + i, count))), y + i, count);
  });
}

}  // namespace

extern const NormKernels kNormKernels;
constinit const NormKernels kNormKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .rms_norm = RmsNormRow,
    .norm_gate = NormGateRow,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
