#include <bit>
#include <cmath>

#include "ops/qkv/qkv_backward_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/norm/rms.inl.h"

#include "ops/norm/rms_backward.inl.h"

void HeadBackward(const float* x, const float* weight, const float* cos_sin, int64_t rotary_dim,
                  int64_t d, float eps, const float* dout, float* dx, float* dweight,
                  float* rotated) {
  const int64_t half = rotary_dim / 2;
  float* back = weight == nullptr ? dx : rotated;
  ForEachVector(half, [&](int64_t i, int count) {
    const F32 cosine = LoadN(cos_sin + i, count);
    const F32 sine = LoadN(cos_sin + half + i, count);
    const F32 a = LoadN(dout + i, count);
    const F32 b = LoadN(dout + half + i, count);
    StoreN(Add(Mul(a, cosine), Mul(b, sine)), back + i, count);
    StoreN(Sub(Mul(b, cosine), Mul(a, sine)), back + half + i, count);
  });
  for (int64_t i = rotary_dim; i < d; ++i) back[i] = dout[i];
  if (weight != nullptr) RmsBackward(x, weight, back, dx, false, dweight, d, eps);
}

}  // namespace

extern const QkvBackwardKernels kQkvBackwardKernels;
constinit const QkvBackwardKernels kQkvBackwardKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .head = HeadBackward,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
