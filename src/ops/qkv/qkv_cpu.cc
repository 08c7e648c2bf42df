#include <bit>
#include <cmath>

#include "ops/qkv/qkv_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

#include "ops/simd/vec.inl.h"

#include "ops/norm/rms.inl.h"

void Head(const float* x, const float* weight, const float* cos_sin, int64_t rotary_dim, int64_t d,
          float eps, float* out) {
  if (weight != nullptr) {
    const F32 inverse = Set(InverseRms(x, d, eps));
    ForEachVector(d, [&](int64_t i, int count) {
      const F32 scaled = Mul(LoadN(x + i, count), inverse);
      StoreN(Mul(scaled, LoadN(weight + i, count)), out + i, count);
    });
  } else {
    for (int64_t i = 0; i < d; ++i) out[i] = x[i];
  }
  const int64_t half = rotary_dim / 2;
  ForEachVector(half, [&](int64_t i, int count) {
    const F32 cosine = LoadN(cos_sin + i, count);
    const F32 sine = LoadN(cos_sin + half + i, count);
    const F32 a = LoadN(out + i, count);
    const F32 b = LoadN(out + half + i, count);
    StoreN(Sub(Mul(a, cosine), Mul(b, sine)), out + i, count);
    StoreN(Add(Mul(b, cosine), Mul(a, sine)), out + half + i, count);
  });
}

void ToBf16(const float* x, uint16_t* out, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreBf16(Load(x + i), out + i);
  for (; i < n; ++i) out[i] = FloatToBf16(x[i]);
}

uint16_t ToInt8(const float* x, int8_t* out, int64_t n) {
  F32 largest = Zero();
  F32 poison = Zero();
  ForEachVector(n, [&](int64_t i, int count) {
    const F32 value = LoadN(x + i, count);
    largest = Max(largest, Max(value, Sub(Zero(), value)));
    poison = Fma(value, Zero(), poison);
  });
  const bool finite = ReduceAdd(poison) == 0.0f;
  const float exact = finite ? ReduceMax(largest) / 127.0f : 0.0f;
  // Up, so that no code leaves the range; steps below the smallest normal number are zero.
  const bool any = exact >= 0x1p-126f;
  const uint32_t bits = any ? (std::bit_cast<uint32_t>(exact) + 0xffffu) >> 16 : 0u;
  const F32 inverse = Set(any ? 1.0f / std::bit_cast<float>(bits << 16) : 0.0f);
  ForEachVector(n, [&](int64_t i, int count) {
    const F32 value = finite ? LoadN(x + i, count) : Zero();
    StoreInt8(Round(Mul(value, inverse)), out + i);
  });
  return finite ? static_cast<uint16_t>(bits) : uint16_t{0x7fc0};
}

}  // namespace

extern const QkvKernels kQkvKernels;
constinit const QkvKernels kQkvKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .head = Head,
    .to_bf16 = ToBf16,
    .to_int8 = ToInt8,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
