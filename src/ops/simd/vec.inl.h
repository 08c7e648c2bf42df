// Thin fp32 vectors for kernels that are the same text for every instruction set. Included inside
// the region of begin.h, in namespace ringlet::<isa>. F32 has kLanes lanes; reductions use one
// fixed tree; Fma is one rounding except in the scalar set.
//
// Each function says what all sets must do:
//   Load/Store       unaligned, kLanes values
//   LoadN/StoreN     the first n (0..kLanes) values; other lanes load as 0 and are not stored
//   LoadBf16/...     widen from BF16; StoreBf16 rounds to nearest even, NaN stays NaN
//   StoreInt8        integral values in [-127, 127] as int8; anything else stores some int8
//   Max(a, b)        b where either is NaN, so Max(bound, x) keeps a NaN in x
//   Exp              e^x within 2 ulp, 0 below -104, inf above 88.73, NaN for NaN

#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)

inline constexpr int kLanes = 16;
struct F32 {
  __m512 v;
};
RINGLET_INLINE __mmask16 FirstLanes(int n) {
  return static_cast<__mmask16>((1u << static_cast<unsigned>(n)) - 1u);
}
RINGLET_INLINE F32 Zero() { return {_mm512_setzero_ps()}; }
RINGLET_INLINE F32 Set(float x) { return {_mm512_set1_ps(x)}; }
RINGLET_INLINE F32 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
RINGLET_INLINE void Store(F32 a, float* p) { _mm512_storeu_ps(p, a.v); }
RINGLET_INLINE F32 LoadN(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(FirstLanes(n), p)};
}
RINGLET_INLINE void StoreN(F32 a, float* p, int n) { _mm512_mask_storeu_ps(p, FirstLanes(n), a.v); }
RINGLET_INLINE F32 Add(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Sub(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Mul(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Div(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Max(F32 a, F32 b) { return {_mm512_max_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Min(F32 a, F32 b) { return {_mm512_min_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
RINGLET_INLINE F32 Round(F32 a) { return {_mm512_roundscale_ps(a.v, 0)}; }
RINGLET_INLINE F32 Pow2(F32 integer) {  // 2^n for integral n in [-126, 127]
  const __m512i n = _mm512_cvtps_epi32(integer.v);
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23))};
}
RINGLET_INLINE F32 LoadBf16(const uint16_t* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
RINGLET_INLINE F32 LoadF16(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
RINGLET_INLINE void StoreInt8(F32 a, int8_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
RINGLET_INLINE void StoreBf16(F32 a, uint16_t* p) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i bias = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), odd);
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, bias), 16);
  const __m512i quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, quiet)));
}
RINGLET_INLINE float ReduceAdd(F32 a) {
  const __m256 low = _mm512_castps512_ps256(a.v);
  const __m256 high = _mm512_extractf32x8_ps(a.v, 1);
  const __m256 s8 = _mm256_add_ps(low, high);
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
RINGLET_INLINE float ReduceMax(F32 a) {
  const __m256 m8 = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
  const __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
  return _mm_cvtss_f32(_mm_max_ss(m2, _mm_shuffle_ps(m2, m2, 1)));
}

#elif defined(RINGLET_ISA_AVX2)

inline constexpr int kLanes = 8;
struct F32 {
  __m256 v;
};
RINGLET_INLINE __m256i FirstLanes(int n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index);
}
RINGLET_INLINE F32 Zero() { return {_mm256_setzero_ps()}; }
RINGLET_INLINE F32 Set(float x) { return {_mm256_set1_ps(x)}; }
RINGLET_INLINE F32 Load(const float* p) { return {_mm256_loadu_ps(p)}; }
RINGLET_INLINE void Store(F32 a, float* p) { _mm256_storeu_ps(p, a.v); }
// A branch, because a masked store is slow on some processors, all of its lanes or not.
RINGLET_INLINE F32 LoadN(const float* p, int n) {
  return n >= kLanes ? Load(p) : F32{_mm256_maskload_ps(p, FirstLanes(n))};
}
RINGLET_INLINE void StoreN(F32 a, float* p, int n) {
  if (n >= kLanes) return Store(a, p);
  _mm256_maskstore_ps(p, FirstLanes(n), a.v);
}
RINGLET_INLINE F32 Add(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Sub(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Mul(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Div(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
RINGLET_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
RINGLET_INLINE F32 Round(F32 a) { return {_mm256_round_ps(a.v, 0)}; }
RINGLET_INLINE F32 Pow2(F32 integer) {
  const __m256i n = _mm256_cvtps_epi32(integer.v);
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23))};
}
RINGLET_INLINE F32 LoadBf16(const uint16_t* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16))};
}
RINGLET_INLINE F32 LoadF16(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
RINGLET_INLINE void StoreInt8(F32 a, int8_t* p) {
  const __m256i words = _mm256_cvtps_epi32(a.v);
  const __m128i halves =
      _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(halves, halves));
}
RINGLET_INLINE void StoreBf16(F32 a, uint16_t* p) {
  const __m256i bits = _mm256_castps_si256(a.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i bias = _mm256_add_epi32(_mm256_set1_epi32(0x7fff), odd);
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
  const __m256i quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
  const __m256i words = _mm256_blendv_epi8(rounded, quiet, nan);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(p),
      _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
RINGLET_INLINE float ReduceAdd(F32 a) {
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}
RINGLET_INLINE float ReduceMax(F32 a) {
  const __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
  return _mm_cvtss_f32(_mm_max_ss(m2, _mm_shuffle_ps(m2, m2, 1)));
}

#elif defined(RINGLET_ISA_ANY_NEON)

inline constexpr int kLanes = 4;
struct F32 {
  float32x4_t v;
};
RINGLET_INLINE F32 Zero() { return {vdupq_n_f32(0.0f)}; }
RINGLET_INLINE F32 Set(float x) { return {vdupq_n_f32(x)}; }
RINGLET_INLINE F32 Load(const float* p) { return {vld1q_f32(p)}; }
RINGLET_INLINE void Store(F32 a, float* p) { vst1q_f32(p, a.v); }
RINGLET_INLINE F32 LoadN(const float* p, int n) {
  if (n >= kLanes) return Load(p);
  F32 a = Zero();
  if (n > 0) a.v = vld1q_lane_f32(p, a.v, 0);
  if (n > 1) a.v = vld1q_lane_f32(p + 1, a.v, 1);
  if (n > 2) a.v = vld1q_lane_f32(p + 2, a.v, 2);
  return a;
}
RINGLET_INLINE void StoreN(F32 a, float* p, int n) {
  if (n >= kLanes) return Store(a, p);
  if (n > 0) vst1q_lane_f32(p, a.v, 0);
  if (n > 1) vst1q_lane_f32(p + 1, a.v, 1);
  if (n > 2) vst1q_lane_f32(p + 2, a.v, 2);
}
RINGLET_INLINE F32 Add(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
RINGLET_INLINE F32 Sub(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
RINGLET_INLINE F32 Mul(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
RINGLET_INLINE F32 Div(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
// FMAX and FMIN would give NaN for either operand.
RINGLET_INLINE F32 Max(F32 a, F32 b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
RINGLET_INLINE F32 Min(F32 a, F32 b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
RINGLET_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
RINGLET_INLINE F32 Round(F32 a) { return {vrndnq_f32(a.v)}; }
RINGLET_INLINE F32 Pow2(F32 integer) {
  const int32x4_t n = vcvtnq_s32_f32(integer.v);
  return {vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23))};
}
RINGLET_INLINE F32 LoadBf16(const uint16_t* p) {
  return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))};
}
RINGLET_INLINE F32 LoadF16(const uint16_t* p) {
  return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))};
}
RINGLET_INLINE void StoreInt8(F32 a, int8_t* p) {
  const int16x4_t halves = vmovn_s32(vcvtnq_s32_f32(a.v));
  const int8x8_t bytes = vmovn_s16(vcombine_s16(halves, halves));
  __builtin_memcpy(p, &bytes, 4);
}
RINGLET_INLINE void StoreBf16(F32 a, uint16_t* p) {
  const uint32x4_t bits = vreinterpretq_u32_f32(a.v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(vdupq_n_u32(0x7fff), odd));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(a.v, a.v), rounded, quiet), 16));
}
RINGLET_INLINE float ReduceAdd(F32 a) {
  const float32x2_t s2 = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}
RINGLET_INLINE float ReduceMax(F32 a) {
  const F32 m2 = Max(a, {vextq_f32(a.v, a.v, 2)});
  return vgetq_lane_f32(Max(m2, {vextq_f32(m2.v, m2.v, 1)}).v, 0);
}

#else  // scalar

inline constexpr int kLanes = 1;
struct F32 {
  float v;
};
RINGLET_INLINE F32 Zero() { return {0.0f}; }
RINGLET_INLINE F32 Set(float x) { return {x}; }
RINGLET_INLINE F32 Load(const float* p) { return {*p}; }
RINGLET_INLINE void Store(F32 a, float* p) { *p = a.v; }
RINGLET_INLINE F32 LoadN(const float* p, int n) { return {n > 0 ? *p : 0.0f}; }
RINGLET_INLINE void StoreN(F32 a, float* p, int n) {
  if (n > 0) *p = a.v;
}
RINGLET_INLINE F32 Add(F32 a, F32 b) { return {a.v + b.v}; }
RINGLET_INLINE F32 Sub(F32 a, F32 b) { return {a.v - b.v}; }
RINGLET_INLINE F32 Mul(F32 a, F32 b) { return {a.v * b.v}; }
RINGLET_INLINE F32 Div(F32 a, F32 b) { return {a.v / b.v}; }
RINGLET_INLINE F32 Max(F32 a, F32 b) { return {a.v > b.v ? a.v : b.v}; }
RINGLET_INLINE F32 Min(F32 a, F32 b) { return {a.v < b.v ? a.v : b.v}; }
RINGLET_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {a.v * b.v + c.v}; }
RINGLET_INLINE F32 Round(F32 a) { return {__builtin_nearbyintf(a.v)}; }
RINGLET_INLINE F32 Pow2(F32 integer) {
  // NaN has no integer value; the factor it came with carries it.
  const int n = integer.v == integer.v ? static_cast<int>(integer.v) : 0;
  return {std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23)};
}
RINGLET_INLINE F32 LoadBf16(const uint16_t* p) {
  return {std::bit_cast<float>(static_cast<uint32_t>(*p) << 16)};
}
RINGLET_INLINE F32 LoadF16(const uint16_t* p) { return {F16ToFloat(*p)}; }
RINGLET_INLINE void StoreInt8(F32 a, int8_t* p) {
  *p = static_cast<int8_t>(a.v >= -127.0f && a.v <= 127.0f ? static_cast<int>(a.v) : 0);
}
RINGLET_INLINE void StoreBf16(F32 a, uint16_t* p) { *p = FloatToBf16(a.v); }
RINGLET_INLINE float ReduceAdd(F32 a) { return a.v; }
RINGLET_INLINE float ReduceMax(F32 a) { return a.v; }

#endif

// e^x = 2^n * p(r), n = round(x / ln 2), r = x - n ln 2 in two pieces; p is the degree-6 Taylor
// polynomial, whose error on |r| <= 0.347 is below 2^-25 relative. 2^n is applied in two halves so
// that results down to the subnormals and up to infinity come out of the multiplication itself.
RINGLET_INLINE F32 Exp(F32 x) {
  const F32 clamped = Min(Set(89.0f), Max(Set(-104.0f), x));
  const F32 n = Round(Mul(clamped, Set(1.44269504088896341f)));
  F32 r = Fma(n, Set(-0.693145751953125f), clamped);
  r = Fma(n, Set(-1.42860682030941723212e-6f), r);
  F32 p = Set(1.0f / 720.0f);
  p = Fma(p, r, Set(1.0f / 120.0f));
  p = Fma(p, r, Set(1.0f / 24.0f));
  p = Fma(p, r, Set(1.0f / 6.0f));
  p = Fma(p, r, Set(0.5f));
  p = Fma(p, r, Set(1.0f));
  p = Fma(p, r, Set(1.0f));
  const F32 half = Round(Mul(n, Set(0.5f)));
  return Mul(Mul(p, Pow2(half)), Pow2(Sub(n, half)));
}

// y, or 0 where x < bound.
#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)
RINGLET_INLINE F32 ZeroBelow(F32 x, float bound, F32 y) {
  const __mmask16 below = _mm512_cmp_ps_mask(x.v, _mm512_set1_ps(bound), _CMP_LT_OQ);
  return {_mm512_castsi512_ps(
      _mm512_mask_mov_epi32(_mm512_castps_si512(y.v), below, _mm512_setzero_si512()))};
}
#elif defined(RINGLET_ISA_AVX2)
RINGLET_INLINE F32 ZeroBelow(F32 x, float bound, F32 y) {
  return {_mm256_andnot_ps(_mm256_cmp_ps(x.v, _mm256_set1_ps(bound), _CMP_LT_OQ), y.v)};
}
#elif defined(RINGLET_ISA_ANY_NEON)
RINGLET_INLINE F32 ZeroBelow(F32 x, float bound, F32 y) {
  const uint32x4_t below = vcltq_f32(x.v, vdupq_n_f32(bound));
  return {vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(y.v), below))};
}
#else
RINGLET_INLINE F32 ZeroBelow(F32 x, float bound, F32 y) { return {x.v < bound ? 0.0f : y.v}; }
#endif

// 2^x for x <= 0 within 2^-22.5 relative, 1 for 0, 0 below -126, NaN for NaN. The polynomial is the
// minimax one of degree 5 with constant 1 on [-1/2, 1/2].
RINGLET_INLINE F32 Exp2NonPositive(F32 x) {
  const F32 clamped = Max(Set(-126.0f), x);
  const F32 n = Round(clamped);
  const F32 r = Sub(clamped, n);
  F32 p = Set(0.001326472731307149f);
  p = Fma(p, r, Set(0.009671512991189957f));
  p = Fma(p, r, Set(0.05550733581185341f));
  p = Fma(p, r, Set(0.24022242426872253f));
  p = Fma(p, r, Set(0.6931470036506653f));
  p = Fma(p, r, Set(1.0f));
  return ZeroBelow(x, -126.0f, Mul(p, Pow2(n)));
}

// 1 / (1 + e^-x).
RINGLET_INLINE F32 Sigmoid(F32 x) {
  const F32 one = Set(1.0f);
  return Div(one, Add(one, Exp(Sub(Zero(), x))));
}
