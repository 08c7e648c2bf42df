// 4-bit weights with int8 group scales (kInt4Layout) times int8 activations. Included in the region
// of gemm_cpu.cc after gemm_quant.inl.h.
//
// Per 32 inputs, two weight groups a and b: with value = multiplier * s * (code - 8) and x = t * q,
//   acc += t * (s_a * sum_a (code - 8) q + s_b * sum_b (code - 8) q),
// in integers but for the last multiply-add: both sums stay below 16 * 8 * 127 = 16256 and fit 16
// bits, as the pair that a 16-bit multiply-add wants. The multiplier comes once, at the end.

constexpr int64_t kInt4BlockBytes = kPanel * (kQuantGroup / 2 + 2);
constexpr int64_t kInt4CodeBytes = kPanel * kQuantGroup / 2;

#if defined(RINGLET_ISA_AVX512_VNNI) || defined(RINGLET_ISA_AVX512_BF16)

// Two integer sums a row and vector: 24 of 32 registers.
constexpr int kInt4Rows = 12;
constexpr int kInt4Vectors = 1;

template <int R, int V>
RINGLET_INLINE void Int4Block(const std::byte* block, int column,
                              const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
  const __m512i first = _mm512_set1_epi32(0xffff);
  const __m512i low = _mm512_set1_epi8(0x0f);
  const __m512i high = _mm512_set1_epi8(static_cast<char>(0xf0));
  __m512i a[R][V];
  __m512i b[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      a[r][v] = _mm512_setzero_si512();
      b[r][v] = _mm512_setzero_si512();
    }
  }
#pragma GCC unroll 4
  for (int word = 0; word < 4; ++word) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const std::byte* codes = block + (word * kPanel + column) * 4 + v * 64;
      if (R == 1) ReadAhead(codes, kReadAhead, 64);
      const __m512i raw = _mm512_loadu_si512(codes);
      // Four inputs of one group in each lane; b stays in the high nibbles, 16 times its code.
      const __m512i codes_a = _mm512_and_si512(
          _mm512_ternarylogic_epi32(first, raw, _mm512_slli_epi32(raw, 12), 0xca), low);
      const __m512i codes_b = _mm512_and_si512(
          _mm512_ternarylogic_epi32(first, _mm512_srli_epi32(raw, 12), raw, 0xca), high);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        int32_t q[2];
        std::memcpy(&q[0], x[r]->q + 4 * word, 4);
        std::memcpy(&q[1], x[r]->q + 16 + 4 * word, 4);
        a[r][v] = _mm512_dpbusd_epi32(a[r][v], codes_a, _mm512_set1_epi32(q[0]));
        b[r][v] = _mm512_dpbusd_epi32(b[r][v], codes_b, _mm512_set1_epi32(q[1]));
      }
    }
  }
  if (R == 1) ReadAhead(block + kInt4CodeBytes, kReadAhead, 2 * kPanel);
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const __m512i scales = _mm512_cvtepi8_epi16(_mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(block + kInt4CodeBytes + 2 * (column + v * kLanes))));
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const __m512i pair =
          _mm512_ternarylogic_epi32(first, a[r][v], _mm512_slli_epi32(b[r][v], 12), 0xca);
      const __m512i sums = _mm512_add_epi16(pair, _mm512_set1_epi32(x[r]->start));
      const __m512i scaled = _mm512_dpwssd_epi32(_mm512_setzero_si512(), sums, scales);
      acc[r][v] = Fma(Set(x[r]->scale), ToFloat(scaled), acc[r][v]);
    }
  }
}

#elif defined(RINGLET_ISA_AVX2)

// Twelve sums, two vectors of codes, one of inputs and a product: 16 registers.
constexpr int kInt4Rows = 6;
constexpr int kInt4Vectors = 2;

template <int R, int V>
RINGLET_INLINE void Int4Block(const std::byte* block, int column,
                              const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
  const __m256i low = _mm256_set1_epi8(15);
  __m256i sum[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[r][v] = _mm256_set1_epi32(x[r]->start);
  }
  // A row alone takes a vector of codes as it comes, so that the panel is one linear stream; rows
  // together share unpacked codes.
  const auto load = [&](int word, int v) {
    return _mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(block + (word * kPanel + column) * 4 + v * 32));
  };
  const auto input = [&](int half, int r) {
    int32_t pair;
    std::memcpy(&pair, x[r]->paired + 4 * half, 4);
    return _mm256_set1_epi32(pair);
  };
  const auto add = [&](__m256i codes, __m256i q, __m256i* total) {
    *total = _mm256_add_epi16(*total, _mm256_maddubs_epi16(codes, q));
    // Keeps the order: a compiler that adds the products as a tree has no registers for them.
    __asm__("" : "+x"(*total));
  };
#pragma GCC unroll 4
  for (int word = 0; word < 4; ++word) {
    if constexpr (R == 1) {
      const __m256i even = input(2 * word, 0);
      const __m256i odd = input(2 * word + 1, 0);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        if (v % 2 == 0) ReadAhead(block + (word * kPanel + v * 8) * 4, kReadAhead, 64);
        const __m256i raw = load(word, v);
        add(_mm256_and_si256(raw, low), even, &sum[0][v]);
        add(_mm256_and_si256(_mm256_srli_epi16(raw, 4), low), odd, &sum[0][v]);
      }
      if (word == 3) ReadAhead(block + kInt4CodeBytes, kReadAhead, 2 * kPanel);
    } else {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        __m256i codes[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
          const __m256i raw = load(word, v);
          codes[v] = _mm256_and_si256(half == 0 ? raw : _mm256_srli_epi16(raw, 4), low);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const __m256i q = input(2 * word + half, r);
#pragma GCC unroll 8
          for (int v = 0; v < V; ++v) add(codes[v], q, &sum[r][v]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    const __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128(
        reinterpret_cast<const __m128i*>(block + kInt4CodeBytes + 2 * (column + v * kLanes))));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m256i scaled = _mm256_madd_epi16(sum[r][v], scales);
      acc[r][v] = Fma(Set(x[r]->scale), ToFloat(scaled), acc[r][v]);
    }
  }
}

#elif defined(RINGLET_ISA_ANY_NEON)

// Rows share the codes of a vector (or two), which fill half of the registers.
constexpr int kInt4Rows = 8;
constexpr int kInt4Vectors = 4;

#if defined(RINGLET_ISA_NEON_DOTPROD)

// Words of each group for one vector of outputs, less 8 where kCentred.
template <bool kCentred>
RINGLET_INLINE void Int4Words(const std::byte* codes, int8x16_t (&a)[4], int8x16_t (&b)[4]) {
  const int8x16_t centre = vdupq_n_s8(kCentred ? 8 : 0);
#pragma GCC unroll 4
  for (int word = 0; word < 4; ++word) {
    const int8x16_t raw = LoadBytes(codes + word * kPanel * 4);
    int8x16_t low = LowNibbles(raw);
    int8x16_t high = HighNibbles(raw);
    if (kCentred) low = vsubq_s8(low, centre);
    if (kCentred) high = vsubq_s8(high, centre);
    // Two inputs of a group lie in 16 bits.
    const int16x8_t first = vreinterpretq_s16_s8(low);
    const int16x8_t second = vreinterpretq_s16_s8(high);
    a[word] = vreinterpretq_s8_s16(vtrn1q_s16(first, second));
    b[word] = vreinterpretq_s8_s16(vtrn2q_s16(first, second));
  }
}

// A row's inputs of a block, and where its sums begin.
struct Int4Inputs {
  int8x16_t a;
  int8x16_t b;
  IntVector start_a;
  IntVector start_b;
  F32 scale;
};
template <bool kCentred>
RINGLET_INLINE Int4Inputs LoadInputs(const QuantActGroup& x) {
  return {LoadBytes(x.q), LoadBytes(x.q + 16), SetInt(kCentred ? 0 : -8 * x.sum_low),
          SetInt(kCentred ? 0 : -8 * x.sum_high), Set(x.scale)};
}

// One row takes codes as they are and its sums take the 8 back; for more rows it costs less to
// subtract it from the codes. The integers are the same.
template <int R, int V>
RINGLET_INLINE void Int4Block(const std::byte* block, int column,
                              const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
  constexpr bool kCentred = R > 1;
  const Int4Inputs first = LoadInputs<kCentred>(*x[0]);
#pragma GCC unroll 16
  for (int v = 0; v < V; ++v) {
    const int at = column + v * kLanes;
    if (R == 1) ReadAhead(block + v * 64, kReadAhead, 64);
    int8x16_t a[4];
    int8x16_t b[4];
    Int4Words<kCentred>(block + at * 4, a, b);
    const int16x8_t scales =
        vmovl_s8(vld1_s8(reinterpret_cast<const int8_t*>(block + kInt4CodeBytes + 2 * at)));
    const IntVector pairs = vreinterpretq_s32_s16(scales);
    const IntVector scale_a = vshrq_n_s32(vshlq_n_s32(pairs, 16), 16);
    const IntVector scale_b = vshrq_n_s32(pairs, 16);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Int4Inputs in = R == 1 ? first : LoadInputs<kCentred>(*x[r]);
      IntVector sum_a = in.start_a;
      IntVector sum_b = in.start_b;
      AddDots(a, in.a, &sum_a);
      AddDots(b, in.b, &sum_b);
      const IntVector scaled = vmlaq_s32(vmulq_s32(sum_a, scale_a), sum_b, scale_b);
      acc[r][v] = Fma(in.scale, ToFloat(scaled), acc[r][v]);
    }
  }
  if (R == 1) ReadAhead(block + kInt4CodeBytes, kReadAhead, 2 * kPanel);
}

#else

template <int R, int V>
RINGLET_INLINE void Int4Block(const std::byte* block, int column,
                              const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
#pragma GCC unroll 16
  for (int v = 0; v < V; v += kTogether) {
    if (R == 1) ReadAhead(block + v * 64, kReadAhead, 128);
    int8x16_t w[kTogether][8];
    int16x8_t scales[kTogether];
#pragma GCC unroll 2
    for (int i = 0; i < kTogether; ++i) {
      const int at = column + (v + i) * kLanes;
#pragma GCC unroll 4
      for (int word = 0; word < 4; ++word) {
        const int8x16_t raw = LoadBytes(block + (word * kPanel + at) * 4);
        w[i][2 * word] = LowNibbles(raw);
        w[i][2 * word + 1] = HighNibbles(raw);
      }
      scales[i] =
          vmovl_s8(vld1_s8(reinterpret_cast<const int8_t*>(block + kInt4CodeBytes + 2 * at)));
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      Products sum[kTogether];
#pragma GCC unroll 8
      for (int word = 0; word < 8; ++word) {
        const int8x16_t q = InputWord(x[r]->paired, word);
#pragma GCC unroll 2
        for (int i = 0; i < kTogether; ++i) {
          sum[i] = word == 0 ? Multiply(w[i][word], q) : MultiplyAdd(sum[i], w[i][word], q);
        }
      }
      const int16x8_t start = vreinterpretq_s16_s32(SetInt(x[r]->start));
      const F32 scale = Set(x[r]->scale);
#pragma GCC unroll 2
      for (int i = 0; i < kTogether; ++i) {
        // Modulo 2^16 on the way; with the start they fit.
        const int16x8_t both = vaddq_s16(vpaddq_s16(sum[i].low, sum[i].high), start);
        const IntVector low = vmull_s16(vget_low_s16(both), vget_low_s16(scales[i]));
        const IntVector scaled = vpaddq_s32(low, vmull_high_s16(both, scales[i]));
        acc[r][v + i] = Fma(scale, ToFloat(scaled), acc[r][v + i]);
      }
    }
  }
  if (R == 1) ReadAhead(block + kInt4CodeBytes, kReadAhead, 2 * kPanel);
}

#endif

#else

constexpr int kInt4Rows = 4;
constexpr int kInt4Vectors = 4;

template <int R, int V>
RINGLET_INLINE void Int4Block(const std::byte* block, int column,
                              const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
  for (int v = 0; v < V; ++v) {
    const std::byte* scales = block + kInt4CodeBytes + 2 * (column + v);
    for (int r = 0; r < R; ++r) {
      int32_t sum[2] = {-8 * x[r]->sum_low, -8 * x[r]->sum_high};
      for (int i = 0; i < 16; ++i) {
        for (int group = 0; group < 2; ++group) {
          const int64_t at = (i / 4 * kPanel + column + v) * 4 + group * 2 + i % 2;
          const int byte = std::to_integer<int>(block[at]);
          sum[group] += (i % 4 < 2 ? byte & 15 : byte >> 4) * x[r]->q[group * 16 + i];
        }
      }
      const int32_t scaled =
          sum[0] * std::to_integer<int8_t>(scales[0]) + sum[1] * std::to_integer<int8_t>(scales[1]);
      acc[r][v] = Fma(Set(x[r]->scale), ToFloat(scaled), acc[r][v]);
    }
  }
}

#endif

struct Int4Format {
  static constexpr int kRows = kInt4Rows;
  static constexpr int kVectors = kInt4Vectors;
  static constexpr int64_t kBytes = kInt4BlockBytes;

  template <int R, int V>
  RINGLET_INLINE void Add(const GemmTile& /*tile*/, const std::byte* block, int column,
                          const QuantActGroup* const (&x)[R], F32 (&acc)[R][V]) {
    Int4Block<R, V>(block, column, x, acc);
  }

  template <int R, int V>
  RINGLET_INLINE void Finish(const std::byte* end, int column, F32 (&acc)[R][V]) {
    const float* multipliers = reinterpret_cast<const float*>(end) + column;
    for (int v = 0; v < V; ++v) {
      const F32 multiplier = Load(multipliers + v * kLanes);
      for (int r = 0; r < R; ++r) acc[r][v] = Mul(acc[r][v], multiplier);
    }
  }
};

void TileQuant(const GemmTile& tile) {
  if (tile.quant.scales == ScaleType::kInt8) return GroupedTile<Int4Format>(tile);
  QuantTile(tile);
}
