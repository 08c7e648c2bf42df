#include <bit>
#include <cmath>
#include <cstring>

#include "ops/limits/limits_kernels.h"
#include "ops/simd/intrinsics.h"
#include "tensor/dtype.h"

// Last: nothing may be included inside the region.
#include "ops/simd/begin.h"

namespace ringlet::RINGLET_ISA {
namespace {

// Twelve independent chains hide the latency of every multiply-add instruction in question.
constexpr int kChains = 12;

#include "ops/simd/vec.inl.h"

float RunFp32(int64_t rounds) {
  F32 acc[kChains];
  for (F32& a : acc) a = Zero();
  const F32 x = Set(0.999f);  // acc approaches 999: no infinities, no denormals
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (F32& a : acc) a = Fma(a, x, x);
  }
  F32 sum = acc[0];
  for (int i = 1; i < kChains; ++i) sum = Add(sum, acc[i]);
  return ReduceAdd(sum);
}
constexpr double kFp32Ops = 2.0 * kChains * kLanes;

#if defined(RINGLET_ISA_AVX512_BF16)
#define RINGLET_LIMIT_BF16 \
  { RunBf16, 2.0 * kChains * 32 }
float RunBf16(int64_t rounds) {
  __m512 acc[kChains];
  for (__m512& a : acc) a = _mm512_setzero_ps();
  const __m512i x = _mm512_set1_epi32(0x3f803f80);  // pairs of 1.0
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512& a : acc) a = _mm512_dpbf16_ps(a, (__m512bh)x, (__m512bh)x);
  }
  F32 sum = {acc[0]};
  for (int i = 1; i < kChains; ++i) sum = Add(sum, {acc[i]});
  return ReduceAdd(sum);
}
#else
#define RINGLET_LIMIT_BF16 \
  { nullptr, 0 }
#endif

#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)
#define RINGLET_LIMIT_INT8 \
  { RunInt8, 2.0 * kChains * 64 }
float RunInt8(int64_t rounds) {
  __m512i acc[kChains];
  for (__m512i& a : acc) a = _mm512_setzero_si512();
  const __m512i x = _mm512_set1_epi8(1);
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512i& a : acc) a = _mm512_dpbusd_epi32(a, x, x);
  }
  __m512i sum = acc[0];
  for (int i = 1; i < kChains; ++i) sum = _mm512_add_epi32(sum, acc[i]);
  return ReduceAdd({_mm512_cvtepi32_ps(sum)});
}

uint64_t Read(const std::byte* data, int64_t bytes) {
  __m512i acc[8];
  for (__m512i& a : acc) a = _mm512_setzero_si512();
  for (int64_t i = 0; i < bytes; i += 512) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      acc[j] = _mm512_xor_si512(acc[j], _mm512_loadu_si512(data + i + j * 64));
    }
  }
  for (int j = 1; j < 8; ++j) acc[0] = _mm512_xor_si512(acc[0], acc[j]);
  uint64_t words[8];
  std::memcpy(words, &acc[0], sizeof(words));
  for (int j = 1; j < 8; ++j) words[0] ^= words[j];
  return words[0];
}

#elif defined(RINGLET_ISA_AVX2)

// Products of unsigned and signed bytes, added in pairs to 16 bits: the densest this set has.
#define RINGLET_LIMIT_INT8 \
  { RunInt8, 2.0 * kChains * 32 }
float RunInt8(int64_t rounds) {
  __m256i acc[kChains];
  for (int i = 0; i < kChains; ++i) acc[i] = _mm256_set1_epi16(static_cast<short>(i));
  const __m256i x = _mm256_set1_epi8(1);
  for (int64_t i = 0; i < rounds; ++i) {
    // The product of what the last round left: a constant one would be computed once.
#pragma GCC unroll 12
    for (__m256i& a : acc) a = _mm256_add_epi16(a, _mm256_maddubs_epi16(a, x));
  }
  __m256i sum = acc[0];
  for (int i = 1; i < kChains; ++i) sum = _mm256_add_epi16(sum, acc[i]);
  return ReduceAdd({_mm256_cvtepi32_ps(sum)});
}

uint64_t Read(const std::byte* data, int64_t bytes) {
  __m256i acc[8];
  for (__m256i& a : acc) a = _mm256_setzero_si256();
  for (int64_t i = 0; i < bytes; i += 256) {
    const auto* vectors = reinterpret_cast<const __m256i*>(data + i);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      acc[j] = _mm256_xor_si256(acc[j], _mm256_loadu_si256(vectors + j));
    }
  }
  for (int j = 1; j < 8; ++j) acc[0] = _mm256_xor_si256(acc[0], acc[j]);
  uint64_t words[4];
  std::memcpy(words, &acc[0], sizeof(words));
  return words[0] ^ words[1] ^ words[2] ^ words[3];
}

#else

#define RINGLET_LIMIT_INT8 \
  { nullptr, 0 }

uint64_t Read(const std::byte* data, int64_t bytes) {
  uint64_t acc[8] = {};
  for (int64_t i = 0; i < bytes; i += 64) {
    uint64_t words[8];
    std::memcpy(words, data + i, sizeof(words));
    for (int j = 0; j < 8; ++j) acc[j] ^= words[j];
  }
  for (int j = 1; j < 8; ++j) acc[0] ^= acc[j];
  return acc[0];
}

#endif

}  // namespace

extern const LimitKernels kLimitKernels;
constinit const LimitKernels kLimitKernels = {
    .name = RINGLET_ISA_NAME,
    .required = RINGLET_ISA_REQUIRED,
    .fp32 = {RunFp32, kFp32Ops},
    .bf16 = RINGLET_LIMIT_BF16,
    .int8 = RINGLET_LIMIT_INT8,
    .read = Read,
};

}  // namespace ringlet::RINGLET_ISA

#include "ops/simd/end.h"
