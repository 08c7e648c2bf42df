// Small products whose weights are keys or values of a KV block:
//
//   out(r, column, sum over i ascending of x[r][i] * w[i][column])
//
// for R rows at a time, columns along the lanes. Every element has its own chain of additions in
// the order of i, so its bits do not depend on how rows and columns are blocked. A Product type
// says what a step of i is: one fp32 weight, or a pair of narrow ones in a 32-bit lane. Included in
// a region after vec.inl.h.

// Rows whose accumulators, with the weights and what a step needs besides, fit the registers: a
// multiply-add needs nothing besides, pairs do.
constexpr int kPairRows = kLanes == 8 ? 4 : 6;

// fp32 weights, one i to a step.
struct F32Product {
  using X = float;
  using W = float;
  using Weight = F32;
  using Input = F32;
  using Acc = F32;
  static constexpr int kPack = 1;
  static constexpr int kRows = 6;
  RINGLET_INLINE Acc Start() { return Zero(); }
  RINGLET_INLINE Weight Read(const float* p) { return Load(p); }
  RINGLET_INLINE Input Broadcast(const float* x, int64_t i) { return Set(x[i]); }
  RINGLET_INLINE Acc Step(Input x, Weight w, Acc acc) { return Fma(x, w, acc); }
  RINGLET_INLINE F32 Result(Acc acc) { return acc; }
};

// Pairs of BF16 weights, widened as they are read: the same multiply-adds in the same order as
// F32Product on widened weights.
struct Bf16Product {
  using X = float;
  using W = uint16_t;
  struct Pair {
    F32 first;
    F32 second;
  };
  using Weight = Pair;
  using Input = Pair;
  using Acc = F32;
  static constexpr int kPack = 2;
  static constexpr int kRows = kPairRows;
  RINGLET_INLINE Acc Start() { return Zero(); }
  RINGLET_INLINE Weight Read(const uint16_t* p) {
#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)
    const __m512i both = _mm512_loadu_si512(p);
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    return {{_mm512_castsi512_ps(_mm512_slli_epi32(both, 16))},
            {_mm512_castsi512_ps(_mm512_and_si512(both, high))}};
#elif defined(RINGLET_ISA_AVX2)
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    return {{_mm256_castsi256_ps(_mm256_slli_epi32(both, 16))},
            {_mm256_castsi256_ps(_mm256_and_si256(both, high))}};
#else
    return {LoadBf16(p), LoadBf16(p + 1)};
#endif
  }
  RINGLET_INLINE Input Broadcast(const float* x, int64_t i) {
    return {Set(x[2 * i]), Set(x[2 * i + 1])};
  }
  RINGLET_INLINE Acc Step(Input x, Weight w, Acc acc) {
    return Fma(x.second, w.second, Fma(x.first, w.first, acc));
  }
  RINGLET_INLINE F32 Result(Acc acc) { return acc; }
};

// Pairs of 16-bit integers and their exact sums in 32 bits.
#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)
using IntPairs = __m512i;
RINGLET_INLINE IntPairs LoadInt16Pairs(const int16_t* p) { return _mm512_loadu_si512(p); }
RINGLET_INLINE IntPairs LoadInt8Pairs(const int8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
RINGLET_INLINE void StoreInt16Pairs(IntPairs a, int16_t* p) { _mm512_storeu_si512(p, a); }
RINGLET_INLINE IntPairs SetPair(int32_t both) { return _mm512_set1_epi32(both); }
RINGLET_INLINE IntPairs DotPairs(IntPairs x, IntPairs w, IntPairs acc) {
  return _mm512_dpwssd_epi32(acc, w, x);
}
RINGLET_INLINE F32 IntToF32(IntPairs a) { return {_mm512_cvtepi32_ps(a)}; }
RINGLET_INLINE void StoreInt16(F32 a, int16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a.v)));
}
#elif defined(RINGLET_ISA_AVX2)
using IntPairs = __m256i;
RINGLET_INLINE IntPairs LoadInt16Pairs(const int16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
RINGLET_INLINE IntPairs LoadInt8Pairs(const int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
RINGLET_INLINE void StoreInt16Pairs(IntPairs a, int16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
}
RINGLET_INLINE IntPairs SetPair(int32_t both) { return _mm256_set1_epi32(both); }
RINGLET_INLINE IntPairs DotPairs(IntPairs x, IntPairs w, IntPairs acc) {
  const __m256i products = _mm256_madd_epi16(w, x);
  // In place: left to itself, g++ 12 copies accumulators between registers and memory each step.
  __asm__("vpaddd %1, %0, %0" : "+x"(acc) : "x"(products));
  return acc;
}
RINGLET_INLINE F32 IntToF32(IntPairs a) { return {_mm256_cvtepi32_ps(a)}; }
RINGLET_INLINE void StoreInt16(F32 a, int16_t* p) {
  const __m256i words = _mm256_cvtps_epi32(a.v);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(p),
      _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
#else
struct IntPairs {
  int32_t first;  // the sum, in an accumulator
  int32_t second;
};
RINGLET_INLINE IntPairs LoadInt16Pairs(const int16_t* p) { return {p[0], p[1]}; }
RINGLET_INLINE IntPairs LoadInt8Pairs(const int8_t* p) { return {p[0], p[1]}; }
RINGLET_INLINE void StoreInt16Pairs(IntPairs a, int16_t* p) {
  p[0] = static_cast<int16_t>(a.first);
  p[1] = static_cast<int16_t>(a.second);
}
RINGLET_INLINE IntPairs SetPair(int32_t both) {
  return {static_cast<int16_t>(both & 0xffff), both >> 16};
}
RINGLET_INLINE IntPairs DotPairs(IntPairs x, IntPairs w, IntPairs acc) {
  return {acc.first + x.first * w.first + x.second * w.second, 0};
}
RINGLET_INLINE F32 IntToF32(IntPairs a) { return {static_cast<float>(a.first)}; }
RINGLET_INLINE void StoreInt16(F32 a, int16_t* p) {
  *p = static_cast<int16_t>(a.v >= -32767.0f && a.v <= 32767.0f ? static_cast<int>(a.v) : 0);
}
#endif

// int16 inputs, int16 weights (int8 ones widened beforehand).
struct Int16Product {
  using X = int16_t;
  using W = int16_t;
  using Weight = IntPairs;
  using Input = IntPairs;
  using Acc = IntPairs;
  static constexpr int kPack = 2;
  static constexpr int kRows = kPairRows;
  RINGLET_INLINE Acc Start() { return SetPair(0); }
  RINGLET_INLINE Weight Read(const int16_t* p) { return LoadInt16Pairs(p); }
  RINGLET_INLINE Input Broadcast(const int16_t* x, int64_t i) {
    int32_t both;
    __builtin_memcpy(&both, x + 2 * i, 4);
    return SetPair(both);
  }
  RINGLET_INLINE Acc Step(Input x, Weight w, Acc acc) { return DotPairs(x, w, acc); }
  RINGLET_INLINE F32 Result(Acc acc) { return IntToF32(acc); }
};

// int16 inputs, int8 weights widened as they are read.
struct Int8Product : Int16Product {
  using W = int8_t;
  RINGLET_INLINE Weight Read(const int8_t* p) { return LoadInt8Pairs(p); }
};

// Bytes to fetch while a product runs: `stride` more of them at each step, at most kAheadLines
// cache lines.
constexpr int kAheadLines = kLanes == 16 ? 4 : 1;
struct Ahead {
  const std::byte* next;
  int64_t stride;
};

template <class P, int R, int V, class Out>
RINGLET_INLINE void ProductBlock(const typename P::X* const* x, int64_t steps,
                                 const typename P::W* w, int64_t ldw, const std::byte* ahead,
                                 int64_t ahead_stride, const Out& out) {
  typename P::Acc acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) acc[r][v] = P::Start();
  }
  for (int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 4
    for (int line = 0; line < kAheadLines; ++line) {
      __builtin_prefetch(ahead + i * ahead_stride + 64 * line);
    }
    typename P::Weight weights[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) weights[v] = P::Read(w + i * ldw + v * kLanes * P::kPack);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const typename P::Input value = P::Broadcast(x[r], i);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = P::Step(value, weights[v], acc[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) out(r, v, P::Result(acc[r][v]));
  }
}

// All rows over V vectors of columns from `column` on.
template <class P, int V, class Out>
RINGLET_INLINE void ProductStrip(const typename P::X* const* x, int64_t rows, int64_t steps,
                                 const typename P::W* w, int64_t ldw, int64_t column, Ahead* ahead,
                                 const Out& out) {
  const std::byte* next = ahead->next;
  const int64_t stride = ahead->stride;
  ahead->next += steps * stride;
  const typename P::W* weights = w + column * P::kPack;
  int64_t row = 0;
  const auto put = [&](int r, int v, F32 value) { out(row + r, column + v * kLanes, value); };
  for (; row + P::kRows <= rows; row += P::kRows) {
    ProductBlock<P, P::kRows, V>(x + row, steps, weights, ldw, next, stride, put);
  }
  const int64_t rest = rows - row;
  if (rest == 1) ProductBlock<P, 1, V>(x + row, steps, weights, ldw, next, stride, put);
  if (rest == 2) ProductBlock<P, 2, V>(x + row, steps, weights, ldw, next, stride, put);
  if (rest == 3) ProductBlock<P, 3, V>(x + row, steps, weights, ldw, next, stride, put);
  if constexpr (P::kRows > 4) {
    if (rest == 4) ProductBlock<P, 4, V>(x + row, steps, weights, ldw, next, stride, put);
    if (rest == 5) ProductBlock<P, 5, V>(x + row, steps, weights, ldw, next, stride, put);
  }
}

// `columns` is a multiple of 16; ldw counts elements from one step to the next.
template <class P, class Out>
static void Product(const typename P::X* const* x, int64_t rows, int64_t steps,
                    const typename P::W* w, int64_t ldw, int64_t columns, Ahead ahead,
                    const Out& out) {
  constexpr int kWide = kLanes == 8 ? 2 : 4;
  int64_t column = 0;
  // Strips outside, rows inside: a strip of w stays in the first cache for all rows.
  for (; column + kWide * kLanes <= columns; column += kWide * kLanes) {
    ProductStrip<P, kWide>(x, rows, steps, w, ldw, column, &ahead, out);
  }
  for (; column < columns; column += kLanes) {
    ProductStrip<P, 1>(x, rows, steps, w, ldw, column, &ahead, out);
  }
}
