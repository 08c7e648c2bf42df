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

// Twelve independent chains hide the latency of every multiply-add instruction in question, and fit
// the sixteen registers of AVX2 with an input and a product. Arm's processors have up to four units
// for vectors of four: there a chain is a pair of vectors.
constexpr int kChains = 12;

#include "ops/simd/vec.inl.h"

// Makes a register's value unknown to the compiler, at no cost: the step before it has to be
// computed, there and in place. Left to itself, g++ 12 copies sums of integers between registers
// and memory each step.
#if defined(RINGLET_SIMD_EMULATED)
#define RINGLET_PIN(value) (void)(value)
#elif defined(__x86_64__)
#define RINGLET_PIN(value) __asm__ volatile("" : "+v"(value))
#elif defined(__aarch64__)
#define RINGLET_PIN(value) __asm__ volatile("" : "+w"(value))
#else
#define RINGLET_PIN(value) (void)(value)
#endif

// `rounds` steps of every chain from `zero`, and the sum of all. Named variables: compilers keep an
// array in memory. V has a member v.
template <typename V, typename Step, typename Plus>
RINGLET_INLINE V RunChains(int64_t rounds, V zero, const Step& step, const Plus& plus) {
  V a = zero, b = zero, c = zero, d = zero, e = zero, f = zero;
  V g = zero, h = zero, i = zero, j = zero, k = zero, l = zero;
  const auto advance = [&](V& chain) {
    step(chain);
    RINGLET_PIN(chain.v);
  };
  for (int64_t round = 0; round < rounds; ++round) {
    advance(a), advance(b), advance(c), advance(d), advance(e), advance(f);
    advance(g), advance(h), advance(i), advance(j), advance(k), advance(l);
  }
  for (const V& other : {b, c, d, e, f, g, h, i, j, k, l}) a = plus(a, other);
  return a;
}

#if defined(RINGLET_ISA_ANY_NEON)
struct TwoF32 {
  float32x4_t v;
  float32x4_t second;
};
float RunFp32(int64_t rounds) {
  const float32x4_t x = vdupq_n_f32(0.999f);  // see below
  const TwoF32 sums = RunChains(
      rounds, TwoF32{Zero().v, Zero().v},
      [&](TwoF32& a) {
        a = {vfmaq_f32(x, a.v, x), vfmaq_f32(x, a.second, x)};
        RINGLET_PIN(a.second);
      },
      [](TwoF32 a, TwoF32 b) {
        return TwoF32{vaddq_f32(a.v, b.v), vaddq_f32(a.second, b.second)};
      });
  return ReduceAdd({sums.v}) + ReduceAdd({sums.second});
}
constexpr double kFp32Ops = 2.0 * kChains * 2 * kLanes;
#else
float RunFp32(int64_t rounds) {
  const F32 x = Set(0.999f);  // a chain approaches 999: no infinities, no denormals
  return ReduceAdd(RunChains(
      rounds, Zero(), [&](F32& a) { a = Fma(a, x, x); }, Add));
}
constexpr double kFp32Ops = 2.0 * kChains * kLanes;
#endif

#if defined(RINGLET_ISA_AVX512_BF16)
#define RINGLET_LIMIT_BF16 \
  { RunBf16, 2.0 * kChains * 32 }
float RunBf16(int64_t rounds) {
  const __m512i x = _mm512_set1_epi32(0x3f803f80);  // pairs of 1.0
  const auto step = [&](F32& a) { a.v = _mm512_dpbf16_ps(a.v, (__m512bh)x, (__m512bh)x); };
  return ReduceAdd(RunChains(rounds, Zero(), step, Add));
}
#else
#define RINGLET_LIMIT_BF16 \
  { nullptr, 0 }
#endif

#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)
#define RINGLET_LIMIT_INT8 \
  { RunInt8, 2.0 * kChains * 64 }
struct I32 {
  __m512i v;
};
float RunInt8(int64_t rounds) {
  const __m512i x = _mm512_set1_epi8(1);
  const I32 sum = RunChains(
      rounds, I32{_mm512_setzero_si512()}, [&](I32& a) { a.v = _mm512_dpbusd_epi32(a.v, x, x); },
      [](I32 a, I32 b) { return I32{_mm512_add_epi32(a.v, b.v)}; });
  return ReduceAdd({_mm512_cvtepi32_ps(sum.v)});
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

// Products of unsigned and signed bytes, added in pairs to 16 bits and then to a sum: the densest
// this set has. A vector of 32 products is 64 operations and takes two instructions, which on some
// processors share units: this is less than multiplying alone would reach.
#define RINGLET_LIMIT_INT8 \
  { RunInt8, 2.0 * kChains * 32 }
struct I16 {
  __m256i v;
};
float RunInt8(int64_t rounds) {
  __m256i x = _mm256_set1_epi8(1);
  const I16 sum = RunChains(
      rounds, I16{_mm256_setzero_si256()},
      [&](I16& a) {
        RINGLET_PIN(x);  // a constant product would be computed once
        a.v = _mm256_add_epi16(a.v, _mm256_maddubs_epi16(x, x));
      },
      [](I16 a, I16 b) { return I16{_mm256_add_epi16(a.v, b.v)}; });
  return ReduceAdd({_mm256_cvtepi32_ps(sum.v)});
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

#elif defined(RINGLET_ISA_ANY_NEON)

// Bytes added in fours to 32 bits, or one by one to 16.
#if defined(RINGLET_ISA_NEON_DOTPROD)
constexpr int kInt8Products = 16;
RINGLET_INLINE void AddProducts(int8x16_t x, int32x4_t* sum) {
  __asm__ volatile("sdot %0.4s, %1.16b, %1.16b" : "+w"(*sum) : "w"(x));
}
#else
constexpr int kInt8Products = 8;
RINGLET_INLINE void AddProducts(int8x16_t x, int32x4_t* sum) {
  __asm__ volatile("smlal %0.8h, %1.8b, %1.8b" : "+w"(*sum) : "w"(x));
}
#endif
#define RINGLET_LIMIT_INT8 \
  { RunInt8, 2.0 * kChains * 2 * kInt8Products }
struct TwoI32 {
  int32x4_t v;
  int32x4_t second;
};
float RunInt8(int64_t rounds) {
  const int8x16_t x = vdupq_n_s8(1);
  const TwoI32 sums = RunChains(
      rounds, TwoI32{vdupq_n_s32(0), vdupq_n_s32(0)},
      [&](TwoI32& a) {
        AddProducts(x, &a.v);
        AddProducts(x, &a.second);
      },
      [](TwoI32 a, TwoI32 b) {
        return TwoI32{vaddq_s32(a.v, b.v), vaddq_s32(a.second, b.second)};
      });
  return ReduceAdd({vcvtq_f32_s32(vaddq_s32(sums.v, sums.second))});
}

uint64_t Read(const std::byte* data, int64_t bytes) {
  uint64x2_t acc[8];
  for (uint64x2_t& a : acc) a = vdupq_n_u64(0);
  for (int64_t i = 0; i < bytes; i += 128) {
    const auto* words = reinterpret_cast<const uint64_t*>(data + i);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) acc[j] = veorq_u64(acc[j], vld1q_u64(words + 2 * j));
  }
  for (int j = 1; j < 8; ++j) acc[0] = veorq_u64(acc[0], acc[j]);
  return vgetq_lane_u64(acc[0], 0) ^ vgetq_lane_u64(acc[0], 1);
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
