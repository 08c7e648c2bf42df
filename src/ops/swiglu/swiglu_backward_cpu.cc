#include <bit>
#include <cmath>

#include "ops/simd/intrinsics.h"
#include "ops/swiglu/swiglu_backward_kernels.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/simd/sigmoid.inl.h"

void SwiGluBackwardRow(const float* gate, const float* up, const float* dy, float* dgate,
                       float* dup, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F32 g = LoadN(gate + i, count);
    const F32 u = LoadN(up + i, count);
    const SigmoidPair pair = Sigmoids(g);
    const F32 dout_s = Mul(LoadN(dy + i, count), pair.s);
    StoreN(Mul(Mul(dout_s, u), Fma(g, pair.rest, Set(1.0f))), dgate + i, count);
    StoreN(Mul(dout_s, g), dup + i, count);
  }
}

}  // namespace

extern const SwiGluBackwardKernels kSwiGluBackwardKernels;
constinit const SwiGluBackwardKernels kSwiGluBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .row = SwiGluBackwardRow,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
