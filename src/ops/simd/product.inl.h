// Small products whose weights are keys or values of a KV block, or a matrix in rows:
//
//   put(r, column, start(r, column) + sum over i ascending of x[r][i] * w[i][column])
//
// for R rows at a time, columns along the lanes. Every element has its own chain of additions in
// the order of i, so its bits do not depend on how rows and columns are blocked. A Product type
// says what a step of i is: one fp32 weight, or a pair of narrow ones in a 32-bit lane. Included in
// a region after vec.inl.h.

// Vectors of columns and rows at a time: with the weights and what a step needs besides, their
// accumulators fit the registers. A multiply-add needs nothing besides, pairs do.
constexpr int kVectors = kLanes <= 4 ? 4 : 2;
constexpr int kFloatRows = kLanes == 8 || kLanes == 4 ? 6 : 8;
constexpr int kPairRows = kLanes == 8 || kLanes == 4 ? 4 : 8;

// fp32 weights, one i to a step.
struct F32Product {
  using X = float;
  using W = float;
  using Weight = F32;
  using Input = F32;
  using Acc = F32;
  static constexpr int kPack = 1;
  static constexpr int kRows = kFloatRows;
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
#elif defined(RINGLET_ISA_ANY_NEON)
    uint32x4_t both;
    __builtin_memcpy(&both, p, sizeof(both));
    return {{vreinterpretq_f32_u32(vshlq_n_u32(both, 16))},
            {vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000u)))}};
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

// Pairs of 16-bit integers (of weights, or of one input) and their exact sums in 32 bits.
#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)
using IntPairs = __m512i;
using InputPair = IntPairs;
using IntSums = IntPairs;
RINGLET_INLINE IntSums NoSums() { return _mm512_setzero_si512(); }
RINGLET_INLINE IntPairs LoadInt16Pairs(const int16_t* p) { return _mm512_loadu_si512(p); }
RINGLET_INLINE IntPairs LoadInt8Pairs(const int8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
RINGLET_INLINE void StoreInt16Pairs(IntPairs a, int16_t* p) { _mm512_storeu_si512(p, a); }
RINGLET_INLINE InputPair SetPair(int32_t both) { return _mm512_set1_epi32(both); }
RINGLET_INLINE IntSums DotPairs(InputPair x, IntPairs w, IntSums acc) {
#if defined(RINGLET_SIMD_EMULATED)
  return _mm512_dpwssd_epi32(acc, w, x);
#else
  // In place: left to itself, g++ 12 copies accumulators at each step.
  __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(w), "v"(x));
  return acc;
#endif
}
RINGLET_INLINE F32 IntToF32(IntSums a) { return {_mm512_cvtepi32_ps(a)}; }
RINGLET_INLINE void StoreInt16(F32 a, int16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a.v)));
}
#elif defined(RINGLET_ISA_AVX2)
using IntPairs = __m256i;
using InputPair = IntPairs;
using IntSums = IntPairs;
RINGLET_INLINE IntSums NoSums() { return _mm256_setzero_si256(); }
RINGLET_INLINE IntPairs LoadInt16Pairs(const int16_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
RINGLET_INLINE IntPairs LoadInt8Pairs(const int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
RINGLET_INLINE void StoreInt16Pairs(IntPairs a, int16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
}
RINGLET_INLINE InputPair SetPair(int32_t both) { return _mm256_set1_epi32(both); }
RINGLET_INLINE IntSums DotPairs(InputPair x, IntPairs w, IntSums acc) {
  const __m256i products = _mm256_madd_epi16(w, x);
  // In place: left to itself, g++ 12 copies accumulators between registers and memory each step.
  __asm__("vpaddd %1, %0, %0" : "+x"(acc) : "x"(products));
  return acc;
}
RINGLET_INLINE F32 IntToF32(IntSums a) { return {_mm256_cvtepi32_ps(a)}; }
RINGLET_INLINE void StoreInt16(F32 a, int16_t* p) {
  const __m256i words = _mm256_cvtps_epi32(a.v);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(p),
      _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
#elif defined(RINGLET_ISA_ANY_NEON)
using IntPairs = int16x4x2_t;  // first and second elements apart
using InputPair = int16x4_t;   // in lanes 0 and 1
using IntSums = int32x4_t;
RINGLET_INLINE IntSums NoSums() { return vdupq_n_s32(0); }
RINGLET_INLINE IntPairs LoadInt16Pairs(const int16_t* p) { return vld2_s16(p); }
RINGLET_INLINE IntPairs LoadInt8Pairs(const int8_t* p) {
  const int16x4_t pairs = vreinterpret_s16_s8(vld1_s8(p));
  return {{vshr_n_s16(vshl_n_s16(pairs, 8), 8), vshr_n_s16(pairs, 8)}};
}
RINGLET_INLINE void StoreInt16Pairs(IntPairs a, int16_t* p) { vst2_s16(p, a); }
RINGLET_INLINE InputPair SetPair(int32_t both) { return vreinterpret_s16_s32(vdup_n_s32(both)); }
RINGLET_INLINE IntSums DotPairs(InputPair x, IntPairs w, IntSums acc) {
  return vmlal_lane_s16(vmlal_lane_s16(acc, w.val[0], x, 0), w.val[1], x, 1);
}
RINGLET_INLINE F32 IntToF32(IntSums a) { return {vcvtq_f32_s32(a)}; }
RINGLET_INLINE void StoreInt16(F32 a, int16_t* p) { vst1_s16(p, vmovn_s32(vcvtnq_s32_f32(a.v))); }
#else
struct IntPairs {
  int32_t first;
  int32_t second;
};
using InputPair = IntPairs;
using IntSums = int32_t;
RINGLET_INLINE IntSums NoSums() { return 0; }
RINGLET_INLINE IntPairs LoadInt16Pairs(const int16_t* p) { return {p[0], p[1]}; }
RINGLET_INLINE IntPairs LoadInt8Pairs(const int8_t* p) { return {p[0], p[1]}; }
RINGLET_INLINE void StoreInt16Pairs(IntPairs a, int16_t* p) {
  p[0] = static_cast<int16_t>(a.first);
  p[1] = static_cast<int16_t>(a.second);
}
RINGLET_INLINE InputPair SetPair(int32_t both) {
  return {static_cast<int16_t>(both & 0xffff), both >> 16};
}
RINGLET_INLINE IntSums DotPairs(InputPair x, IntPairs w, IntSums acc) {
  return acc + x.first * w.first + x.second * w.second;
}
RINGLET_INLINE F32 IntToF32(IntSums a) { return {static_cast<float>(a)}; }
RINGLET_INLINE void StoreInt16(F32 a, int16_t* p) {
  *p = static_cast<int16_t>(a.v >= -32767.0f && a.v <= 32767.0f ? static_cast<int>(a.v) : 0);
}
#endif

// int16 inputs, int16 weights (int8 ones widened beforehand).
struct Int16Product {
  using X = int16_t;
  using W = int16_t;
  using Weight = IntPairs;
  using Input = InputPair;
  using Acc = IntSums;
  static constexpr int kPack = 2;
  static constexpr int kRows = kPairRows;
  RINGLET_INLINE Acc Start() { return NoSums(); }
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

// Where weights lie: element (i, column) at data + column / 16 * strip + i * step + column % 16,
// the offsets in elements, and kPack of them at each column.
template <class W>
struct Weights {
  const W* data;
  int64_t step;
  int64_t strip;
};

// The usual start.
template <class P>
struct FromZero {
  typename P::Acc operator()(int64_t, int64_t) const { return P::Start(); }
};

struct Extent {
  int64_t rows;
  int64_t steps;
  int64_t columns;  // a multiple of 16
  // Where rows differ: how many steps a row takes, and of how many columns results are needed
  // (others may be left out).
  const int64_t* row_steps = nullptr;
  const int64_t* row_columns = nullptr;
};

// What is fetched into the caches while weights are multiplied: during a strip of `strip_bytes` as
// many of those that lie `distance` further on in the order [begin, end), then from `next` on.
struct Ahead {
  const std::byte* begin = nullptr;
  const std::byte* end = nullptr;
  const std::byte* next = nullptr;
  int64_t distance = 0;
  int64_t strip_bytes = 0;

  const std::byte* At(int64_t column) const {
    const int64_t offset = column / kStripColumns * strip_bytes + distance;
    return offset < end - begin ? begin + offset : next + (offset - (end - begin));
  }
};

// Where a block of a product begins and what it fetches at each step.
template <class P>
struct BlockAt {
  const typename P::X* const* x;
  const int64_t* row_steps;
  int64_t row;
  int64_t column;
  const std::byte* ahead;
  int64_t ahead_step;
};

template <class P, int R, int V, class Start, class Put>
RINGLET_INLINE void ProductBlock(const BlockAt<P>& at, int64_t steps,
                                 const Weights<typename P::W>& weights, const Start& start,
                                 const Put& put) {
  constexpr int kLines =
      (V * kLanes * P::kPack * static_cast<int>(sizeof(typename P::W)) + 63) / 64;
  typename P::Acc acc[R][V];
  const typename P::X* x[R];
  const typename P::W* w = weights.data + at.column / kStripColumns * weights.strip +
                           at.column % kStripColumns * P::kPack;
  const int64_t step = weights.step;
  const int64_t strip = weights.strip;
  const auto read = [&](int v) {
    const int64_t column = v * kLanes;  // from here, or from the beginning of a strip
    return P::Read(w + column / kStripColumns * strip + column % kStripColumns * P::kPack);
  };
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    x[r] = at.x[at.row + r];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) acc[r][v] = start(at.row + r, at.column + v * kLanes);
  }
  int64_t common = steps;
  if (at.row_steps != nullptr) {
    for (int r = 0; r < R; ++r) {
      common = at.row_steps[at.row + r] < common ? at.row_steps[at.row + r] : common;
    }
  }
  const std::byte* ahead = at.ahead;
  const int64_t ahead_step = at.ahead_step;
#pragma GCC unroll 2
  for (int64_t i = 0; i < common; ++i) {
#pragma GCC unroll 4
    for (int line = 0; line < kLines; ++line) __builtin_prefetch(ahead + 64 * line);
    ahead += ahead_step;
    typename P::Weight row[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) row[v] = read(v);
    w += step;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const typename P::Input value = P::Broadcast(x[r], i);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = P::Step(value, row[v], acc[r][v]);
    }
  }
  const typename P::W* const rest = w;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    const int64_t end = at.row_steps != nullptr ? at.row_steps[at.row + r] : common;
    w = rest;
    for (int64_t i = common; i < end; ++i) {
      const typename P::Input value = P::Broadcast(x[r], i);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = P::Step(value, read(v), acc[r][v]);
      w += step;
    }
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) put(at.row + r, at.column + v * kLanes, P::Result(acc[r][v]));
  }
}

// All rows, at most R at a time, over V vectors of columns from `column` on.
template <class P, int R, int V, class Start, class Put>
RINGLET_INLINE void ProductColumns(const typename P::X* const* x, const Extent& extent,
                                   const Weights<typename P::W>& weights, int64_t column,
                                   const Ahead& ahead, const Start& start, const Put& put) {
  constexpr int kColumns = V * kLanes;
  BlockAt<P> at{
      x,      extent.row_steps, 0,
      column, ahead.At(column), ahead.strip_bytes * kColumns / (kStripColumns * extent.steps)};
  const auto needed = [&](int64_t rows) {
    if (extent.row_columns == nullptr) return true;
    for (int64_t r = at.row; r < at.row + rows; ++r) {
      if (extent.row_columns[r] > column) return true;
    }
    return false;
  };
  const auto block = [&]<int kCount>() {
    if (needed(kCount)) {
      ProductBlock<P, kCount, V>(at, extent.steps, weights, start, put);
      at.ahead_step = 0;  // once for all rows
    }
    at.row += kCount;
  };
  while (at.row + R <= extent.rows) block.template operator()<R>();
  if constexpr (R > 4) {
    if (at.row + 4 <= extent.rows) block.template operator()<4>();
  }
  if constexpr (R > 2) {
    if (at.row + 2 <= extent.rows) block.template operator()<2>();
  }
  if constexpr (R > 1) {
    if (at.row < extent.rows) block.template operator()<1>();
  }
}

// V vectors of columns at a time, then (columns are not always a multiple of so many) one.
template <class P, int R = P::kRows, int V = kVectors, class Start, class Put>
static void Product(const typename P::X* const* x, const Extent& extent,
                    const Weights<typename P::W>& weights, const Ahead& ahead, const Start& start,
                    const Put& put) {
  int64_t column = 0;
  // Columns outside, rows inside: a strip of the weights stays in the first cache for all rows.
  for (; column + V * kLanes <= extent.columns; column += V * kLanes) {
    ProductColumns<P, R, V>(x, extent, weights, column, ahead, start, put);
  }
  if constexpr (V * kLanes > kStripColumns) {
    for (; column < extent.columns; column += kStripColumns) {
      ProductColumns<P, R, kStripColumns / kLanes>(x, extent, weights, column, ahead, start, put);
    }
  }
}
