#include <bit>
#include <cmath>

#include "ops/norm/norm_backward_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/simd/sigmoid.inl.h"

#include "ops/norm/rms.inl.h"

#include "ops/norm/rms_backward.inl.h"

void RmsNormRow(const float* x, const float* weight, const float* dy, float* dx, bool add_dx,
                float* dweight, int64_t n, float eps) {
  RmsBackward(x, weight, dy, dx, add_dx, dweight, n, eps);
}

void NormGateRow(const float* x, const float* gate, const float* weight, const float* dy, float* dx,
                 float* dgate, float* dweight, int64_t n, float eps) {
  const float r = InverseRms(x, n, eps);
  const F32 inverse = Set(r);
  F32 inner = Zero();
  // dx holds dy w s until the sum is known.
  ForEachVector(n, [&](int64_t i, int count) {
    const F32 value = LoadN(x + i, count);
    const F32 dout = LoadN(dy + i, count);
    const SigmoidPair gates = Sigmoids(LoadN(gate + i, count));
    const F32 scaled = Mul(value, inverse);
    const F32 g = Mul(Mul(dout, LoadN(weight + i, count)), gates.s);
    inner = Fma(value, g, inner);
    StoreN(Mul(Mul(g, scaled), gates.rest), dgate + i, count);
    if (dweight != nullptr) {
      StoreN(Fma(Mul(dout, scaled), gates.s, LoadN(dweight + i, count)), dweight + i, count);
    }
    StoreN(g, dx + i, count);
  });
  const F32 factor = Set(ReduceAdd(inner) / static_cast<float>(n) * r * r);
  ForEachVector(n, [&](int64_t i, int count) {
    const F32 part = Sub(LoadN(dx + i, count), Mul(LoadN(x + i, count), factor));
    StoreN(Mul(part, inverse), dx + i, count);
  });
}

}  // namespace

extern const NormBackwardKernels kNormBackwardKernels;
constinit const NormBackwardKernels kNormBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .rms_norm = RmsNormRow,
    .norm_gate = NormGateRow,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
