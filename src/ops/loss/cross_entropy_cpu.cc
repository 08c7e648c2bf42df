#include <bit>
#include <cmath>
#include <limits>

#include "ops/loss/cross_entropy_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

void Block(const float* logits, int64_t n, float* largest, float* sum) {
  float top = logits[0];
  F32 tops = Set(top);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) tops = Max(Load(logits + i), tops);
  top = ReduceMax(tops);
  for (int64_t j = i; j < n; ++j) top = logits[j] > top ? logits[j] : top;
  // Nothing but -inf: subtracting it would give NaN.
  const F32 shift = Set(top == -std::numeric_limits<float>::infinity() ? 0.0f : top);
  F32 sums = Zero();
  for (i = 0; i + kLanes <= n; i += kLanes) sums = Add(sums, Exp(Sub(Load(logits + i), shift)));
  float total = ReduceAdd(sums);
  if (i < n) {
    float rest[kLanes];
    const int count = static_cast<int>(n - i);
    Store(Exp(Sub(LoadN(logits + i, count), shift)), rest);
    for (int j = 0; j < count; ++j) total += rest[j];
  }
  *largest = top;
  *sum = total;
}

void Gradient(float* logits, int64_t n, float lse, float factor) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    const F32 p = Exp(Sub(LoadN(logits + i, count), Set(lse)));
    StoreN(Mul(p, Set(factor)), logits + i, count);
  }
}

}  // namespace

extern const CrossEntropyKernels kCrossEntropyKernels;
constinit const CrossEntropyKernels kCrossEntropyKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .block = Block,
    .gradient = Gradient,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
