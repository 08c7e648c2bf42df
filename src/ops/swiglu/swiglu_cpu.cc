#include <bit>
#include <cmath>

#include "ops/simd/intrinsics.h"
#include "ops/swiglu/swiglu_kernels.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

void SwiGluRow(const float* gate, const float* up, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F32 g = LoadN(gate + i, count);
    StoreN(Mul(Mul(g, Sigmoid(g)), LoadN(up + i, count)), y + i, count);
  }
}

}  // namespace

extern const SwiGluKernels kSwiGluKernels;
constinit const SwiGluKernels kSwiGluKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .row = SwiGluRow,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
