// AVX-512 intrinsics on pairs of AVX2 vectors, so that the AVX-512 kernels can be tested on
// processors without it. Test objects only (RINGLET_SIMD_EMULATED; ops/testing/op_tests.cmake).
//
// Exactly the intrinsics that kernels use, with the semantics of Intel's documentation: a kernel
// that needs another one does not compile until it is added here.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

// The compiler's header defines some of these as macros when it does not optimize.
#undef _mm512_cmp_ps_mask
#undef _mm512_extractf32x8_ps
#undef _mm512_roundscale_ps
#undef _mm512_extracti64x4_epi64
#undef _mm512_slli_epi16
#undef _mm512_slli_epi32
#undef _mm512_srai_epi16
#undef _mm512_srli_epi16
#undef _mm512_srli_epi32
#undef _mm512_ternarylogic_epi32

#define RINGLET_EMULATED \
  static inline __attribute__((always_inline, unused, target("avx2,fma,f16c")))

namespace ringlet::emulation {

struct Floats {
  __m256 half[2];
};
struct Ints {
  __m256i half[2];
};

// Moves.
RINGLET_EMULATED Floats SetZeroPs() { return {{_mm256_setzero_ps(), _mm256_setzero_ps()}}; }
RINGLET_EMULATED Ints SetZeroSi() { return {{_mm256_setzero_si256(), _mm256_setzero_si256()}}; }
RINGLET_EMULATED Floats Set1Ps(float x) { return {{_mm256_set1_ps(x), _mm256_set1_ps(x)}}; }
RINGLET_EMULATED Ints Set1Epi32(int x) { return {{_mm256_set1_epi32(x), _mm256_set1_epi32(x)}}; }
RINGLET_EMULATED Ints Set1Epi16(int16_t x) {
  return {{_mm256_set1_epi16(x), _mm256_set1_epi16(x)}};
}
RINGLET_EMULATED Ints Set4Epi32(int d, int c, int b, int a) {
  const __m256i quads = _mm256_setr_epi32(a, b, c, d, a, b, c, d);
  return {{quads, quads}};
}
RINGLET_EMULATED Ints Set1Epi8(char x) { return {{_mm256_set1_epi8(x), _mm256_set1_epi8(x)}}; }
RINGLET_EMULATED Floats LoadPs(const void* p) {
  const auto* floats = static_cast<const float*>(p);
  return {{_mm256_loadu_ps(floats), _mm256_loadu_ps(floats + 8)}};
}
RINGLET_EMULATED Ints LoadSi(const void* p) {
  const auto* vectors = static_cast<const __m256i*>(p);
  return {{_mm256_loadu_si256(vectors), _mm256_loadu_si256(vectors + 1)}};
}
RINGLET_EMULATED void StoreSi(void* p, Ints a) {
  auto* vectors = static_cast<__m256i*>(p);
  _mm256_storeu_si256(vectors, a.half[0]);
  _mm256_storeu_si256(vectors + 1, a.half[1]);
}
RINGLET_EMULATED void StorePs(void* p, Floats a) {
  _mm256_storeu_ps(static_cast<float*>(p), a.half[0]);
  _mm256_storeu_ps(static_cast<float*>(p) + 8, a.half[1]);
}
// All ones in the 32-bit lanes of one half whose mask bit is set.
RINGLET_EMULATED __m256i LaneMask(__mmask16 mask, int half) {
  const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i here = _mm256_and_si256(_mm256_set1_epi32(mask >> (8 * half)), bits);
  return _mm256_cmpeq_epi32(here, bits);
}
// Lanes whose mask bit is clear are neither read nor written.
RINGLET_EMULATED Floats MaskzLoadPs(__mmask16 mask, const void* p) {
  const auto* floats = static_cast<const float*>(p);
  return {{_mm256_maskload_ps(floats, LaneMask(mask, 0)),
           _mm256_maskload_ps(floats + 8, LaneMask(mask, 1))}};
}
RINGLET_EMULATED void MaskStorePs(void* p, __mmask16 mask, Floats a) {
  _mm256_maskstore_ps(static_cast<float*>(p), LaneMask(mask, 0), a.half[0]);
  _mm256_maskstore_ps(static_cast<float*>(p) + 8, LaneMask(mask, 1), a.half[1]);
}
RINGLET_EMULATED Ints MaskMovEpi32(Ints otherwise, __mmask16 mask, Ints a) {
  return {{_mm256_blendv_epi8(otherwise.half[0], a.half[0], LaneMask(mask, 0)),
           _mm256_blendv_epi8(otherwise.half[1], a.half[1], LaneMask(mask, 1))}};
}
RINGLET_EMULATED Floats CastPs(Ints a) {
  return {{_mm256_castsi256_ps(a.half[0]), _mm256_castsi256_ps(a.half[1])}};
}
RINGLET_EMULATED Ints CastSi(Floats a) {
  return {{_mm256_castps_si256(a.half[0]), _mm256_castps_si256(a.half[1])}};
}
RINGLET_EMULATED __m256 HalfPs(Floats a, int half) { return a.half[half & 1]; }
RINGLET_EMULATED __m256i HalfSi(Ints a, int half) { return a.half[half & 1]; }
// 16-bit elements of `table` chosen by the low 5 bits of `index` where the mask bit is set.
RINGLET_EMULATED Ints MaskPermuteEpi16(Ints otherwise, __mmask32 mask, Ints index, Ints table) {
  uint16_t lanes[32];
  uint16_t indices[32];
  uint16_t entries[32];
  std::memcpy(lanes, &otherwise, sizeof(lanes));
  std::memcpy(indices, &index, sizeof(indices));
  std::memcpy(entries, &table, sizeof(entries));
  for (int i = 0; i < 32; ++i) {
    if ((mask >> i & 1) != 0) lanes[i] = entries[indices[i] & 31];
  }
  return LoadSi(lanes);
}

// Operations that act on 256 bits at a time as they do on 512.
#define RINGLET_EMULATED_BINARY(Name, Type, intrinsic)                           \
  RINGLET_EMULATED Type Name(Type a, Type b) {                                   \
    return {{intrinsic(a.half[0], b.half[0]), intrinsic(a.half[1], b.half[1])}}; \
  }
RINGLET_EMULATED_BINARY(AddPs, Floats, _mm256_add_ps)
RINGLET_EMULATED_BINARY(SubPs, Floats, _mm256_sub_ps)
RINGLET_EMULATED_BINARY(MulPs, Floats, _mm256_mul_ps)
RINGLET_EMULATED_BINARY(DivPs, Floats, _mm256_div_ps)
RINGLET_EMULATED_BINARY(MaxPs, Floats, _mm256_max_ps)
RINGLET_EMULATED_BINARY(MinPs, Floats, _mm256_min_ps)
RINGLET_EMULATED_BINARY(AddEpi32, Ints, _mm256_add_epi32)
RINGLET_EMULATED_BINARY(SubEpi32, Ints, _mm256_sub_epi32)
RINGLET_EMULATED_BINARY(AndSi, Ints, _mm256_and_si256)
RINGLET_EMULATED_BINARY(OrSi, Ints, _mm256_or_si256)
RINGLET_EMULATED_BINARY(XorSi, Ints, _mm256_xor_si256)
RINGLET_EMULATED_BINARY(AddEpi16, Ints, _mm256_add_epi16)
#undef RINGLET_EMULATED_BINARY

// Bits of b where a is set, of c elsewhere.
template <int kTable>
RINGLET_EMULATED Ints TernaryLogic(Ints a, Ints b, Ints c) {
  static_assert(kTable == 0xca);
  return OrSi(AndSi(a, b), {{_mm256_andnot_si256(a.half[0], c.half[0]),
                             _mm256_andnot_si256(a.half[1], c.half[1])}});
}

RINGLET_EMULATED Floats SqrtPs(Floats a) {
  return {{_mm256_sqrt_ps(a.half[0]), _mm256_sqrt_ps(a.half[1])}};
}
RINGLET_EMULATED Floats FmaddPs(Floats a, Floats b, Floats c) {
  return {{_mm256_fmadd_ps(a.half[0], b.half[0], c.half[0]),
           _mm256_fmadd_ps(a.half[1], b.half[1], c.half[1])}};
}
template <int kControl>
RINGLET_EMULATED Floats RoundScalePs(Floats a) {
  static_assert(kControl == 0, "only rounding to the nearest integer is emulated");
  return {{_mm256_round_ps(a.half[0], 0), _mm256_round_ps(a.half[1], 0)}};
}
template <int kPredicate>
RINGLET_EMULATED __mmask16 CmpPsMask(Floats a, Floats b) {
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.half[0], b.half[0], kPredicate));
  const int high = _mm256_movemask_ps(_mm256_cmp_ps(a.half[1], b.half[1], kPredicate));
  return static_cast<__mmask16>(low | high << 8);
}
// Mask bits of the 16-bit elements that have no bit in common.
RINGLET_EMULATED __mmask32 TestnEpi16(Ints a, Ints b) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i low = _mm256_cmpeq_epi16(_mm256_and_si256(a.half[0], b.half[0]), zero);
  const __m256i high = _mm256_cmpeq_epi16(_mm256_and_si256(a.half[1], b.half[1]), zero);
  // Packing works on 128 bits at a time; quarters 0 2 1 3 put them into their order.
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
  return static_cast<__mmask32>(_mm256_movemask_epi8(bytes));
}
RINGLET_EMULATED Ints SlliEpi16(Ints a, int count) {
  return {{_mm256_slli_epi16(a.half[0], count), _mm256_slli_epi16(a.half[1], count)}};
}
RINGLET_EMULATED Ints SraiEpi16(Ints a, int count) {
  return {{_mm256_srai_epi16(a.half[0], count), _mm256_srai_epi16(a.half[1], count)}};
}
RINGLET_EMULATED Ints SlliEpi32(Ints a, int count) {
  return {{_mm256_slli_epi32(a.half[0], count), _mm256_slli_epi32(a.half[1], count)}};
}
RINGLET_EMULATED Ints SrliEpi32(Ints a, int count) {
  return {{_mm256_srli_epi32(a.half[0], count), _mm256_srli_epi32(a.half[1], count)}};
}
RINGLET_EMULATED Ints SrliEpi16(Ints a, int count) {
  return {{_mm256_srli_epi16(a.half[0], count), _mm256_srli_epi16(a.half[1], count)}};
}

// Conversions.
RINGLET_EMULATED Ints CvtPsEpi32(Floats a) {
  return {{_mm256_cvtps_epi32(a.half[0]), _mm256_cvtps_epi32(a.half[1])}};
}
RINGLET_EMULATED Floats CvtEpi32Ps(Ints a) {
  return {{_mm256_cvtepi32_ps(a.half[0]), _mm256_cvtepi32_ps(a.half[1])}};
}
RINGLET_EMULATED Ints CvtEpu16Epi32(__m256i a) {
  return {{_mm256_cvtepu16_epi32(_mm256_castsi256_si128(a)),
           _mm256_cvtepu16_epi32(_mm256_extracti128_si256(a, 1))}};
}
RINGLET_EMULATED Floats CvtPhPs(__m256i a) {
  return {{_mm256_cvtph_ps(_mm256_castsi256_si128(a)),
           _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1))}};
}
RINGLET_EMULATED Ints CvtEpi8Epi16(__m256i a) {
  return {{_mm256_cvtepi8_epi16(_mm256_castsi256_si128(a)),
           _mm256_cvtepi8_epi16(_mm256_extracti128_si256(a, 1))}};
}
// Truncation, not saturation: plain code, away from the packing instructions, which saturate.
RINGLET_EMULATED __m256i CvtEpi32Epi16(Ints a) {
  uint32_t lanes[16];
  uint16_t words[16];
  std::memcpy(lanes, &a, sizeof(lanes));
  for (int i = 0; i < 16; ++i) words[i] = static_cast<uint16_t>(lanes[i]);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words));
}
RINGLET_EMULATED __m128i CvtEpi32Epi8(Ints a) {
  uint32_t lanes[16];
  uint8_t bytes[16];
  std::memcpy(lanes, &a, sizeof(lanes));
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<uint8_t>(lanes[i]);
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

// VNNI: unsigned bytes of a times signed bytes of b, four to a lane, without saturation. Even and
// odd bytes apart, as 16-bit numbers whose products add up in 32 bits.
RINGLET_EMULATED __m256i DpbusdHalf(__m256i sum, __m256i a, __m256i b) {
  const __m256i a_even = _mm256_and_si256(a, _mm256_set1_epi16(255));
  const __m256i a_odd = _mm256_srli_epi16(a, 8);
  const __m256i b_even = _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8);
  const __m256i b_odd = _mm256_srai_epi16(b, 8);
  const __m256i even = _mm256_madd_epi16(a_even, b_even);
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, _mm256_madd_epi16(a_odd, b_odd)));
}
// VNNI: pairs of signed 16-bit numbers, without saturation.
RINGLET_EMULATED Ints DpwssdEpi32(Ints sum, Ints a, Ints b) {
  return {{_mm256_add_epi32(sum.half[0], _mm256_madd_epi16(a.half[0], b.half[0])),
           _mm256_add_epi32(sum.half[1], _mm256_madd_epi16(a.half[1], b.half[1]))}};
}
RINGLET_EMULATED Ints DpbusdEpi32(Ints sum, Ints a, Ints b) {
  return {{DpbusdHalf(sum.half[0], a.half[0], b.half[0]),
           DpbusdHalf(sum.half[1], a.half[1], b.half[1])}};
}

// Subnormal numbers become zeros of their sign.
RINGLET_EMULATED __m256 FlushSubnormal(__m256 x) {
  const __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0f));
  const __m256 magnitude = _mm256_xor_ps(x, sign);
  const __m256 tiny = _mm256_cmp_ps(magnitude, _mm256_set1_ps(0x1p-126f), _CMP_LT_OQ);
  return _mm256_or_ps(sign, _mm256_andnot_ps(tiny, magnitude));
}
// BF16 dot product: the odd products first, each a fused multiply-add rounded to nearest even;
// subnormal inputs and results are zero whatever the control register says.
RINGLET_EMULATED __m256 DpBf16Half(__m256 sum, __m256i a, __m256i b) {
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  const __m256 a_odd = _mm256_castsi256_ps(_mm256_and_si256(a, high));
  const __m256 b_odd = _mm256_castsi256_ps(_mm256_and_si256(b, high));
  const __m256 a_even = _mm256_castsi256_ps(_mm256_slli_epi32(a, 16));
  const __m256 b_even = _mm256_castsi256_ps(_mm256_slli_epi32(b, 16));
  sum = FlushSubnormal(
      _mm256_fmadd_ps(FlushSubnormal(a_odd), FlushSubnormal(b_odd), FlushSubnormal(sum)));
  return FlushSubnormal(_mm256_fmadd_ps(FlushSubnormal(a_even), FlushSubnormal(b_even), sum));
}
RINGLET_EMULATED Floats DpBf16Ps(Floats sum, Ints a, Ints b) {
  return {{DpBf16Half(sum.half[0], a.half[0], b.half[0]),
           DpBf16Half(sum.half[1], a.half[1], b.half[1])}};
}

}  // namespace ringlet::emulation

#define __m512 ::ringlet::emulation::Floats
#define __m512i ::ringlet::emulation::Ints
#define __m512bh ::ringlet::emulation::Ints
#define _mm512_add_epi16 ::ringlet::emulation::AddEpi16
#define _mm512_add_epi32 ::ringlet::emulation::AddEpi32
#define _mm512_add_ps ::ringlet::emulation::AddPs
#define _mm512_and_si512 ::ringlet::emulation::AndSi
#define _mm512_castps512_ps256(a) ::ringlet::emulation::HalfPs(a, 0)
#define _mm512_castps_si512 ::ringlet::emulation::CastSi
#define _mm512_castsi512_si256(a) ::ringlet::emulation::HalfSi(a, 0)
#define _mm512_castsi512_ps ::ringlet::emulation::CastPs
#define _mm512_cmp_ps_mask(a, b, predicate) ::ringlet::emulation::CmpPsMask<predicate>(a, b)
#define _mm512_cvtepi8_epi16 ::ringlet::emulation::CvtEpi8Epi16
#define _mm512_cvtepi32_epi16 ::ringlet::emulation::CvtEpi32Epi16
#define _mm512_cvtepi32_epi8 ::ringlet::emulation::CvtEpi32Epi8
#define _mm512_cvtepi32_ps ::ringlet::emulation::CvtEpi32Ps
#define _mm512_cvtepu16_epi32 ::ringlet::emulation::CvtEpu16Epi32
#define _mm512_cvtph_ps ::ringlet::emulation::CvtPhPs
#define _mm512_cvtps_epi32 ::ringlet::emulation::CvtPsEpi32
#define _mm512_div_ps ::ringlet::emulation::DivPs
#define _mm512_dpbf16_ps ::ringlet::emulation::DpBf16Ps
#define _mm512_dpbusd_epi32 ::ringlet::emulation::DpbusdEpi32
#define _mm512_dpwssd_epi32 ::ringlet::emulation::DpwssdEpi32
#define _mm512_extractf32x8_ps ::ringlet::emulation::HalfPs
#define _mm512_extracti64x4_epi64 ::ringlet::emulation::HalfSi
#define _mm512_fmadd_ps ::ringlet::emulation::FmaddPs
#define _mm512_loadu_ps ::ringlet::emulation::LoadPs
#define _mm512_loadu_si512 ::ringlet::emulation::LoadSi
#define _mm512_mask_mov_epi32 ::ringlet::emulation::MaskMovEpi32
#define _mm512_mask_permutexvar_epi16 ::ringlet::emulation::MaskPermuteEpi16
#define _mm512_mask_storeu_ps ::ringlet::emulation::MaskStorePs
#define _mm512_maskz_loadu_ps ::ringlet::emulation::MaskzLoadPs
#define _mm512_max_ps ::ringlet::emulation::MaxPs
#define _mm512_min_ps ::ringlet::emulation::MinPs
#define _mm512_mul_ps ::ringlet::emulation::MulPs
#define _mm512_or_si512 ::ringlet::emulation::OrSi
#define _mm512_roundscale_ps(a, control) ::ringlet::emulation::RoundScalePs<control>(a)
#define _mm512_set1_epi16 ::ringlet::emulation::Set1Epi16
#define _mm512_set1_epi32 ::ringlet::emulation::Set1Epi32
#define _mm512_set1_epi8 ::ringlet::emulation::Set1Epi8
#define _mm512_set1_ps ::ringlet::emulation::Set1Ps
#define _mm512_set4_epi32 ::ringlet::emulation::Set4Epi32
#define _mm512_setzero_ps ::ringlet::emulation::SetZeroPs
#define _mm512_setzero_si512 ::ringlet::emulation::SetZeroSi
#define _mm512_slli_epi16 ::ringlet::emulation::SlliEpi16
#define _mm512_slli_epi32 ::ringlet::emulation::SlliEpi32
#define _mm512_sqrt_ps ::ringlet::emulation::SqrtPs
#define _mm512_srai_epi16 ::ringlet::emulation::SraiEpi16
#define _mm512_srli_epi16 ::ringlet::emulation::SrliEpi16
#define _mm512_srli_epi32 ::ringlet::emulation::SrliEpi32
#define _mm512_storeu_ps ::ringlet::emulation::StorePs
#define _mm512_storeu_si512 ::ringlet::emulation::StoreSi
#define _mm512_sub_epi32 ::ringlet::emulation::SubEpi32
#define _mm512_sub_ps ::ringlet::emulation::SubPs
#define _mm512_ternarylogic_epi32(a, b, c, table) ::ringlet::emulation::TernaryLogic<table>(a, b, c)
#define _mm512_testn_epi16_mask ::ringlet::emulation::TestnEpi16
#define _mm512_xor_si512 ::ringlet::emulation::XorSi
