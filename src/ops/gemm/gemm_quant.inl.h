// 4-bit and 8-bit weights times int8 activations. Included in the region of gemm_cpu.cc.
//
// Per group of inputs: integer dot product of codes, then one multiply-add with
// weight scale x activation scale. With value = s * (code - z) + m and x = a * q:
//   sum value * x = s * a * (dot - z * sum q) + m * a * sum q.

// A group whose largest |x| is smaller has codes 0: the inverse of its scale could overflow.
constexpr float kQuantSmallest = 0x1p-100f;

// NaN and infinite inputs must not turn into numbers: whatever their codes, x * 0 carries them into
// the scale of their group.
void PrepareQuant(const float* x, int64_t k, std::byte* out) {
  auto* groups = reinterpret_cast<QuantActGroup*>(out);
  for (int64_t g = 0; g < k / kQuantGroup; ++g) {
    const float* values = x + g * kQuantGroup;
    QuantActGroup& group = groups[g];
    F32 largest = Zero();
    F32 poison = Zero();
    for (int i = 0; i < kQuantGroup; i += kLanes) {
      const F32 value = Load(values + i);
      largest = Max(largest, Max(value, Sub(Zero(), value)));
      poison = Fma(value, Zero(), poison);
    }
    const float amax = ReduceMax(largest);
    const F32 inverse = Set(amax >= kQuantSmallest ? 127.0f / amax : 0.0f);
    int32_t sums[2];
    for (int half = 0; half < 2; ++half) {
      F32 sum = Zero();
      for (int i = half * 16; i < half * 16 + 16; i += kLanes) {
        const F32 rounded = Round(Mul(Load(values + i), inverse));
        StoreInt8(rounded, group.q + i);
        sum = Add(sum, rounded);
      }
      const float total = ReduceAdd(sum);
      sums[half] = total == total ? static_cast<int32_t>(total) : 0;
    }
    group.scale = amax / 127.0f + ReduceAdd(poison);
    group.scaled_sum = group.scale * static_cast<float>(sums[0] + sums[1]);
    group.sum_low = static_cast<int16_t>(sums[0]);
    group.sum_high = static_cast<int16_t>(sums[1]);
    group.start = static_cast<int32_t>((static_cast<uint32_t>(-8 * sums[0]) & 0xffffu) |
                                       static_cast<uint32_t>(-8 * sums[1]) << 16);
    for (int i = 0; i < 8; ++i) {
      std::memcpy(group.paired + 4 * i, group.q + 2 * i, 2);
      std::memcpy(group.paired + 4 * i + 2, group.q + 16 + 2 * i, 2);
    }
  }
}

// How a weight group is stored, known at compile time.
template <int Bits, int Group, bool HasMin, bool Wide>
struct QuantSpec {
  static constexpr int kBits = Bits;
  static constexpr int kGroup = Group;
  static constexpr bool kHasMin = HasMin;
  static constexpr bool kWide = Wide;
  // Minimums leave 4-bit codes no zero point.
  static constexpr bool kCorrected = Bits == 8 || !HasMin;
  static constexpr int64_t kCodeBytes = kPanel * Group * Bits / 8;
  static constexpr int64_t kScaleBytes = kPanel * (Wide ? 4 : 2);
  static constexpr int64_t kBytes = kCodeBytes + kScaleBytes * (HasMin ? 2 : 1);
};

template <bool Wide>
RINGLET_INLINE F32 LoadScales(const std::byte* p, int column) {
  if constexpr (Wide) {
    return Load(reinterpret_cast<const float*>(p) + column);
  } else {
    return LoadF16(reinterpret_cast<const uint16_t*>(p) + column);
  }
}

#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)

constexpr int kQuantRows4Bit = 4;
constexpr int kQuantRows8Bit = 4;
constexpr int kQuantVectors = 4;
using IntVector = __m512i;
RINGLET_INLINE F32 ToFloat(IntVector a) { return {_mm512_cvtepi32_ps(a)}; }
RINGLET_INLINE IntVector SetInt(int x) { return _mm512_set1_epi32(x); }
RINGLET_INLINE IntVector SubInt(IntVector a, IntVector b) { return _mm512_sub_epi32(a, b); }

// dot[r][v] of one group. `zero` grows by what the unsigned form of signed codes adds per unit of
// the activation sum.
template <typename Spec, int R, int V>
RINGLET_INLINE void GroupDot(const std::byte* codes, int column, const int8_t* const (&q)[R],
                             IntVector (&dot)[R][V]) {
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) dot[r][v] = _mm512_setzero_si512();
  }
  if constexpr (Spec::kBits == 4) {
    const __m512i low_mask = _mm512_set1_epi8(15);
#pragma GCC unroll 4
    for (int octet = 0; octet < Spec::kGroup / 8; ++octet) {
      __m512i low[V];
      __m512i high[V];
      for (int v = 0; v < V; ++v) {
        const std::byte* at = codes + (octet * kPanel + column) * 4 + v * 64;
        if (R == 1) ReadAhead(at, kReadAhead, 64);
        const __m512i pair = _mm512_loadu_si512(at);
        low[v] = _mm512_and_si512(pair, low_mask);
        high[v] = _mm512_and_si512(_mm512_srli_epi16(pair, 4), low_mask);
      }
      for (int r = 0; r < R; ++r) {
        int32_t words[2];
        std::memcpy(words, q[r] + octet * 8, 8);
        const __m512i x0 = _mm512_set1_epi32(words[0]);
        const __m512i x1 = _mm512_set1_epi32(words[1]);
        for (int v = 0; v < V; ++v) {
          dot[r][v] = _mm512_dpbusd_epi32(dot[r][v], low[v], x0);
          dot[r][v] = _mm512_dpbusd_epi32(dot[r][v], high[v], x1);
        }
      }
    }
  } else {
    // Signed codes + 128 are unsigned; CodeOffset() takes the 128 back.
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(-128));
#pragma GCC unroll 8
    for (int quad = 0; quad < Spec::kGroup / 4; ++quad) {
      __m512i w[V];
      for (int v = 0; v < V; ++v) {
        const std::byte* at = codes + (quad * kPanel + column) * 4 + v * 64;
        if (R == 1) ReadAhead(at, kReadAhead, 64);
        w[v] = _mm512_xor_si512(_mm512_loadu_si512(at), flip);
      }
      for (int r = 0; r < R; ++r) {
        int32_t word;
        std::memcpy(&word, q[r] + quad * 4, 4);
        const __m512i x = _mm512_set1_epi32(word);
        for (int v = 0; v < V; ++v) dot[r][v] = _mm512_dpbusd_epi32(dot[r][v], w[v], x);
      }
    }
  }
}
template <typename Spec>
constexpr int CodeOffset() {
  return Spec::kBits == 8 ? 128 : 0;
}

#elif defined(RINGLET_ISA_AVX2)

// Twelve sums of 4-bit codes, two vectors of codes, one of inputs and a product: 16 registers.
constexpr int kQuantRows4Bit = 6;
constexpr int kQuantRows8Bit = 4;
constexpr int kQuantVectors = 2;
using IntVector = __m256i;
RINGLET_INLINE F32 ToFloat(IntVector a) { return {_mm256_cvtepi32_ps(a)}; }
RINGLET_INLINE IntVector SetInt(int x) { return _mm256_set1_epi32(x); }
RINGLET_INLINE IntVector SubInt(IntVector a, IntVector b) { return _mm256_sub_epi32(a, b); }

RINGLET_INLINE __m256i InputWord(const int8_t* q, int word) {
  int32_t bytes;
  std::memcpy(&bytes, q + 4 * word, 4);
  return _mm256_set1_epi32(bytes);
}
RINGLET_INLINE __m256i LoadCodes(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// 16-bit sums of 4-bit codes. A code is at most 15: the 16 products of a group that meet in one
// lane stay below 16 * 15 * 127 = 30480, so the whole group adds up before widening.
RINGLET_INLINE __m256i LowNibbles(__m256i pair) {
  return _mm256_and_si256(pair, _mm256_set1_epi8(15));
}
RINGLET_INLINE __m256i HighNibbles(__m256i pair) { return LowNibbles(_mm256_srli_epi16(pair, 4)); }

// |w| * sign(w) x: |w| <= 128 and |x| <= 127, so a pair sum is at most 32512.
RINGLET_INLINE __m256i SignedProduct(__m256i w, __m256i magnitude, __m256i x) {
  const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(x, w));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

// One row takes vectors of codes as they come; the panel is one linear stream.
template <typename Spec, int V>
RINGLET_INLINE void RowGroupDot(const std::byte* codes, const int8_t* q, IntVector (&dot)[V]) {
  constexpr int kStep = Spec::kBits == 4 ? 8 : 4;
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) dot[v] = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int step = 0; step < Spec::kGroup / kStep; ++step) {
    const __m256i x = InputWord(q, step * kStep / 4);
    const __m256i next = Spec::kBits == 4 ? InputWord(q, step * 2 + 1) : x;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const std::byte* at = codes + step * kPanel * 4 + v * 32;
      if (v % 2 == 0) ReadAhead(at, kReadAhead, 64);
      const __m256i w = LoadCodes(at);
      if constexpr (Spec::kBits == 4) {
        dot[v] = _mm256_add_epi16(dot[v], _mm256_maddubs_epi16(LowNibbles(w), x));
        dot[v] = _mm256_add_epi16(dot[v], _mm256_maddubs_epi16(HighNibbles(w), next));
      } else {
        dot[v] = _mm256_add_epi32(dot[v], SignedProduct(w, _mm256_abs_epi8(w), x));
      }
      // Keeps the order: a compiler that adds the products as a tree has no registers for them.
      __asm__("" : "+x"(dot[v]));
    }
  }
  if constexpr (Spec::kBits == 4) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) dot[v] = _mm256_madd_epi16(dot[v], _mm256_set1_epi16(1));
  }
}

template <typename Spec, int R, int V>
RINGLET_INLINE void GroupDot(const std::byte* codes, int column, const int8_t* const (&q)[R],
                             IntVector (&dot)[R][V]) {
  if constexpr (R == 1) {
    return RowGroupDot<Spec, V>(codes + column * 4, q[0], dot[0]);
  } else if constexpr (Spec::kBits == 4) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) dot[r][v] = _mm256_setzero_si256();
    }
#pragma GCC unroll 8
    for (int word = 0; word < Spec::kGroup / 4; ++word) {
      __m256i w[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const __m256i pair = LoadCodes(codes + (word / 2 * kPanel + column) * 4 + v * 32);
        w[v] = word % 2 == 0 ? LowNibbles(pair) : HighNibbles(pair);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const __m256i x = InputWord(q[r], word);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          dot[r][v] = _mm256_add_epi16(dot[r][v], _mm256_maddubs_epi16(w[v], x));
          // Keeps the order: a compiler that adds the products as a tree has no registers for them.
          __asm__("" : "+x"(dot[r][v]));
        }
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        dot[r][v] = _mm256_madd_epi16(dot[r][v], _mm256_set1_epi16(1));
      }
    }
  } else {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) dot[r][v] = _mm256_setzero_si256();
    }
#pragma GCC unroll 8
    for (int quad = 0; quad < Spec::kGroup / 4; ++quad) {
      __m256i w[V];
      __m256i magnitude[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        w[v] = LoadCodes(codes + (quad * kPanel + column) * 4 + v * 32);
        magnitude[v] = _mm256_abs_epi8(w[v]);
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const __m256i x = InputWord(q[r], quad);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
          dot[r][v] = _mm256_add_epi32(dot[r][v], SignedProduct(w[v], magnitude[v], x));
        }
      }
    }
  }
}
template <typename Spec>
constexpr int CodeOffset() {
  return 0;
}

#elif defined(RINGLET_ISA_ANY_NEON)

constexpr int kQuantRows4Bit = 4;
constexpr int kQuantRows8Bit = 4;
constexpr int kQuantVectors = 4;
#include "ops/gemm/neon_dot.inl.h"

#else

constexpr int kQuantRows4Bit = 4;
constexpr int kQuantRows8Bit = 4;
constexpr int kQuantVectors = 4;
using IntVector = int32_t;
RINGLET_INLINE F32 ToFloat(IntVector a) { return {static_cast<float>(a)}; }
RINGLET_INLINE IntVector SetInt(int x) { return x; }
RINGLET_INLINE IntVector SubInt(IntVector a, IntVector b) { return a - b; }

template <typename Spec, int R, int V>
RINGLET_INLINE void GroupDot(const std::byte* codes, int column, const int8_t* const (&q)[R],
                             IntVector (&dot)[R][V]) {
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      int32_t sum = 0;
      for (int i = 0; i < Spec::kGroup; ++i) {
        int code;
        if constexpr (Spec::kBits == 4) {
          const int byte = std::to_integer<int>(codes[(i / 8 * kPanel + column + v) * 4 + i % 4]);
          code = i % 8 < 4 ? byte & 15 : byte >> 4;
        } else {
          code = static_cast<int8_t>(codes[(i / 4 * kPanel + column + v) * 4 + i % 4]);
        }
        sum += code * q[r][i];
      }
      dot[r][v] = sum;
    }
  }
}
template <typename Spec>
constexpr int CodeOffset() {
  return 0;
}

#endif

// Adds one weight group, whose inputs begin at `begin` of the block, to R rows of V output vectors.
template <typename Spec, int R, int V>
RINGLET_INLINE void QuantGroup(const GemmTile& tile, const std::byte* group, int64_t begin,
                               int column, const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
  const int8_t* q[R];
  int32_t correction[R];
  float act_sum[R];
  const int offset = tile.quant.zero_point + CodeOffset<Spec>();
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    q[r] = x[r]->q + begin;
    if constexpr (Spec::kGroup == kQuantGroup) {
      correction[r] = offset * (x[r]->sum_low + x[r]->sum_high);
      act_sum[r] = x[r]->scaled_sum;
    } else {
      const int sum = begin == 0 ? x[r]->sum_low : x[r]->sum_high;
      correction[r] = offset * sum;
      act_sum[r] = x[r]->scale * static_cast<float>(sum);
    }
  }
  IntVector dot[R][V];
  GroupDot<Spec, R, V>(group, column, q, dot);

  const std::byte* scales = group + Spec::kCodeBytes;
  if (R == 1) ReadAhead(scales, kReadAhead, Spec::kBytes - Spec::kCodeBytes);
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    const int at = column + v * kLanes;
    const F32 scale = LoadScales<Spec::kWide>(scales, at);
    F32 min = Zero();
    if constexpr (Spec::kHasMin) min = LoadScales<Spec::kWide>(scales + Spec::kScaleBytes, at);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      IntVector total = dot[r][v];
      if constexpr (Spec::kCorrected) total = SubInt(total, SetInt(correction[r]));
      const F32 value = ToFloat(total);
      acc[r][v] = Fma(Mul(scale, Set(x[r]->scale)), value, acc[r][v]);
      if constexpr (Spec::kHasMin) acc[r][v] = Fma(min, Set(act_sum[r]), acc[r][v]);
    }
  }
}

template <typename Spec>
struct QuantFormat {
  static constexpr int kRows = Spec::kBits == 4 ? kQuantRows4Bit : kQuantRows8Bit;
  static constexpr int kVectors = kQuantVectors;
  static constexpr int64_t kBytes = Spec::kBytes * (kQuantGroup / Spec::kGroup);

  template <int R, int V>
  RINGLET_INLINE void Add(const GemmTile& tile, const std::byte* block, int column,
                          const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
    for (int64_t begin = 0; begin < kQuantGroup; begin += Spec::kGroup) {
      QuantGroup<Spec, R, V>(tile, block, begin, column, x, acc);
      block += Spec::kBytes;
    }
  }

  template <int R, int V>
  RINGLET_INLINE void Finish(const std::byte* /*end*/, int /*column*/, F32 (&/*acc*/)[R][V]) {}
};

template <typename Spec>
void QuantTileFor(const GemmTile& tile) {
  GroupedTile<QuantFormat<Spec>>(tile);
}

// Those that IsSupported.
void QuantTile(const GemmTile& tile) {
  const QuantLayout& quant = tile.quant;
  const bool wide = quant.scales == ScaleType::kF32;
  if (quant.bits == 4) {
    if (quant.has_min) {
      return wide ? QuantTileFor<QuantSpec<4, 32, true, true>>(tile)
                  : QuantTileFor<QuantSpec<4, 32, true, false>>(tile);
    }
    return wide ? QuantTileFor<QuantSpec<4, 32, false, true>>(tile)
                : QuantTileFor<QuantSpec<4, 32, false, false>>(tile);
  }
  if (quant.group == 16) {
    return quant.has_min ? QuantTileFor<QuantSpec<8, 16, true, true>>(tile)
                         : QuantTileFor<QuantSpec<8, 16, false, true>>(tile);
  }
  if (quant.has_min) return QuantTileFor<QuantSpec<8, 32, true, true>>(tile);
  return wide ? QuantTileFor<QuantSpec<8, 32, false, true>>(tile)
              : QuantTileFor<QuantSpec<8, 32, false, false>>(tile);
}
