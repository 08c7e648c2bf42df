// The steps that are tried lie along the vector lanes, so that sums over a group need no reduction
// and come out the same for every vector length.
#include <bit>
#include <cmath>

#include "ops/quantize/quantize_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

constexpr int kTried = 16;
constexpr int kVectors = kTried / kLanes;
// Shares of the step at which the value of largest magnitude has code -8. More of them, or those of
// the other sign, lower the error by less than 1/200 of itself.
constexpr float kFirstShare = 0.70f;
constexpr float kShareStep = 0.0293f;
constexpr float kLeastCode = -8.0f;
constexpr float kLargestCode = 7.0f;

RINGLET_INLINE F32 WholeStep(F32 step) { return Min(Set(kStepTop), Max(Set(1.0f), Round(step))); }

RINGLET_INLINE F32 Codes(F32 x, F32 inverse_step) {
  return Min(Set(kLargestCode), Max(Set(kLeastCode), Round(Mul(x, inverse_step))));
}

// Of each step: its squared error less the sum of weight * x^2.
struct Tried {
  float steps[2 * kTried];
  float errors[2 * kTried];
};

// step^2 * qq - 2 * step * xq
RINGLET_INLINE F32 ErrorOf(F32 step, F32 xq, F32 qq) {
  return Mul(step, Sub(Mul(step, qq), Add(xq, xq)));
}

// `x` has its value of largest magnitude, -8 * base, below zero. weighted_x = weight * x.
template <bool kWeighted>
RINGLET_INLINE void TrySteps(const float* x, const float* weight, const float* weighted_x,
                             int64_t group, float base, Tried& tried) {
  float shares[kTried];
  for (int i = 0; i < kTried; ++i) shares[i] = kFirstShare + kShareStep * static_cast<float>(i);
  F32 step[kVectors];
  F32 inverse[kVectors];
  F32 xq[kVectors];
  F32 qq[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    step[v] = WholeStep(Mul(Set(base), Load(shares + v * kLanes)));
    inverse[v] = Div(Set(1.0f), step[v]);
    xq[v] = Zero();
    qq[v] = Zero();
  }
  for (int64_t i = 0; i < group; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      const F32 code = Codes(Set(x[i]), inverse[v]);
      const F32 weighted = kWeighted ? Mul(Set(weight[i]), code) : code;
      xq[v] = Add(xq[v], Mul(Set(kWeighted ? weighted_x[i] : x[i]), code));
      qq[v] = Add(qq[v], Mul(weighted, code));
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    // Codes that are all 0 have qq 0 and xq 0: step 1, error 0.
    const F32 fit = WholeStep(Div(xq[v], Max(Set(1e-30f), qq[v])));
    Store(step[v], tried.steps + v * kLanes);
    Store(ErrorOf(step[v], xq[v], qq[v]), tried.errors + v * kLanes);
    Store(fit, tried.steps + kTried + v * kLanes);
    Store(ErrorOf(fit, xq[v], qq[v]), tried.errors + kTried + v * kLanes);
  }
}

constexpr int64_t kMaxPiece = 256;

// One group of at most kMaxPiece values.
template <bool kWeighted>
void FitGroup(const float* x, const float* weight, int64_t group, int8_t* codes, float* step_out) {
  float largest = 0;
  float extreme = 0;
  for (int64_t i = 0; i < group; ++i) {
    const float magnitude = std::fabs(x[i]);
    extreme = magnitude > largest ? x[i] : extreme;
    largest = magnitude > largest ? magnitude : largest;
  }
  const float sign = extreme > 0 ? -1.0f : 1.0f;
  alignas(64) float values[kMaxPiece];
  alignas(64) float weighted[kMaxPiece];
  for (int64_t i = 0; i < group; ++i) {
    values[i] = sign * x[i];
    if (kWeighted) weighted[i] = weight[i] * values[i];
  }
  Tried tried;
  TrySteps<kWeighted>(values, weight, weighted, group, largest * 0.125f, tried);
  float best_error = 0;  // of all codes 0
  float best_step = 1.0f;
  for (int i = 0; i < 2 * kTried; ++i) {
    const bool better = tried.errors[i] < best_error;
    best_error = better ? tried.errors[i] : best_error;
    best_step = better ? tried.steps[i] : best_step;
  }
  *step_out = sign * best_step;
  const F32 inverse = Set(1.0f / best_step);
  for (int64_t i = 0; i < group; i += kLanes) {
    StoreInt8(Codes(Load(values + i), inverse), codes + i);
  }
}

void FitInt4Row(const FitInt4Args& args) {
  for (int64_t g = 0; g < args.n / args.group; ++g) {
    const int64_t first = g * args.group;
    if (args.weight == nullptr) {
      FitGroup<false>(args.x + first, nullptr, args.group, args.codes + first, args.steps + g);
    } else {
      FitGroup<true>(args.x + first, args.weight + first, args.group, args.codes + first,
                     args.steps + g);
    }
  }
}

}  // namespace

extern const QuantizeKernels kQuantizeKernels;
constinit const QuantizeKernels kQuantizeKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .fit_int4 = FitInt4Row,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
