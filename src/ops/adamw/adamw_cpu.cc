#include <bit>
#include <cmath>

#include "ops/adamw/adamw_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

// Correctly rounded in every set.
#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)
RINGLET_INLINE F32 Sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
#elif defined(RINGLET_ISA_AVX2)
RINGLET_INLINE F32 Sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
#elif defined(RINGLET_ISA_ANY_NEON)
RINGLET_INLINE F32 Sqrt(F32 a) { return {vsqrtq_f32(a.v)}; }
#else
RINGLET_INLINE F32 Sqrt(F32 a) { return {__builtin_sqrtf(a.v)}; }
#endif

// Multiplications and additions are not fused, so that the scalar set gives the same bits.
void Step(const AdamWFactors& f, const float* grad, float* weight, float* mean, float* square,
          int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F32 g = Mul(LoadN(grad + i, count), Set(f.grad_scale));
    const F32 m = Add(Mul(LoadN(mean + i, count), Set(f.beta1)), Mul(g, Set(f.rest1)));
    const F32 v = Add(Mul(LoadN(square + i, count), Set(f.beta2)), Mul(Mul(g, Set(f.rest2)), g));
    const F32 w = LoadN(weight + i, count);
    const F32 denominator = Add(Mul(Sqrt(v), Set(f.root)), Set(f.eps));
    const F32 change = Add(Div(Mul(m, Set(f.rate)), denominator), Mul(w, Set(f.decay)));
    StoreN(m, mean + i, count);
    StoreN(v, square + i, count);
    StoreN(Sub(w, change), weight + i, count);
  }
}

// Products of fp32 values are exact in float64, so that only the order of the sums, which is the
// same in all sets, decides the bits.
double Squares(const float* x, int64_t n) {
  constexpr int kSums = 16;
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int j = 0; j < kSums; ++j) {
      const double value = x[i + j];
      sums[j] += value * value;
    }
  }
  for (int j = 0; i + j < n; ++j) {
    const double value = x[i + j];
    sums[j] += value * value;
  }
  for (int width = kSums / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) sums[j] += sums[j + width];
  }
  return sums[0];
}

}  // namespace

extern const AdamWKernels kAdamWKernels;
constinit const AdamWKernels kAdamWKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .step = Step,
    .squares = Squares,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
