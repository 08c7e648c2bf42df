// FP8 E4M3 weights with scales of blocks of 128 inputs (kFp8), times rows prepared as for bf16
// weights. Included in the region of gemm_cpu.cc after gemm_float.inl.h.
//
// Per block: sum += x * code in rising order of the inputs, then output = fma(scale, sum, output).
// Codes are decoded without a branch, subnormals and all, and no fp32 subnormal appears:
//   fp32 rows  sign and the other seven bits, moved to bits 15 and 13..7, are fp16 of 2^-8 times
//   the
//              value (fp16 has an exponent bit more); widening is one instruction. The block's sum
//              takes the 2^8 back, exactly.
//   bf16 rows  the seven bits, moved to the mantissa's end and with the difference of the exponent
//              biases added, are bf16 for all but the eight magnitudes of exponent 0: a table.
// Up to 6 rows decode the panel as they go. More rows take the panel block by block: a strip of it
// is decoded once into the first-level cache for all of them.

#if defined(RINGLET_ISA_AVX512_BF16)

using Fp8Input = uint32_t;  // two bf16
using Fp8Vector = __m512i;
// Steps that take a pair of inputs, and what a block's sum lacks.
constexpr int kFp8Steps = 1;
constexpr bool kFp8Unscale = false;
RINGLET_INLINE Fp8Vector LoadFp8(const float* p) { return _mm512_loadu_si512(p); }
RINGLET_INLINE void StoreFp8(Fp8Vector a, float* p) { _mm512_storeu_si512(p, a); }
RINGLET_INLINE F32 AddFp8(Fp8Input x, Fp8Vector w, F32 sum) {
  const __m512i pair = _mm512_set1_epi32(static_cast<int>(x));
  return {_mm512_dpbf16_ps(sum.v, (__m512bh)w, (__m512bh)pair)};
}

#else

using Fp8Input = float;
using Fp8Vector = F32;
constexpr int kFp8Steps = 2;
constexpr bool kFp8Unscale = true;
RINGLET_INLINE Fp8Vector LoadFp8(const float* p) { return Load(p); }
RINGLET_INLINE void StoreFp8(Fp8Vector a, float* p) { Store(a, p); }
RINGLET_INLINE F32 AddFp8(Fp8Input x, Fp8Vector w, F32 sum) { return Fma(Set(x), w, sum); }

#endif

// The codes of 2 * kLanes outputs and two inputs, decoded: [step][vector].
struct Fp8Unit {
  Fp8Vector step[kFp8Steps][2];
};

#if defined(RINGLET_ISA_AVX512_BF16)

RINGLET_INLINE __m512i DecodeFp8Pairs(const std::byte* p) {
  // Magnitudes 0..7 * 2^-9 in bf16.
  const __m512i table = _mm512_set4_epi32(0x3c603c40, 0x3c203c00, 0x3bc03b80, 0x3b000000);
  const __m512i codes =
      _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  const __m512i magnitudes = _mm512_and_si512(codes, _mm512_set1_epi16(0x7f));
  const __m512i normal =
      _mm512_add_epi16(_mm512_slli_epi16(magnitudes, 4), _mm512_set1_epi16(0x3c00));
  const __mmask32 subnormal = _mm512_testn_epi16_mask(magnitudes, _mm512_set1_epi16(0x78));
  const __m512i values = _mm512_mask_permutexvar_epi16(normal, subnormal, magnitudes, table);
  // The sign bit of the codes, the rest of the values.
  const __m512i rest = _mm512_set1_epi16(0x7fff);
  return _mm512_ternarylogic_epi32(rest, values, codes, 0xca);
}
RINGLET_INLINE Fp8Unit DecodeFp8(const std::byte* p) {
  return {{{DecodeFp8Pairs(p), DecodeFp8Pairs(p + 2 * kLanes)}}};
}

#elif defined(RINGLET_ISA_AVX512_VNNI)

RINGLET_INLINE Fp8Unit DecodeFp8(const std::byte* p) {
  const __m512i keep = _mm512_set1_epi16(static_cast<int16_t>(0xbf80));
  const __m512i pairs = _mm512_loadu_si512(p);
  const __m512i even = _mm512_and_si512(_mm512_srai_epi16(_mm512_slli_epi16(pairs, 8), 1), keep);
  const __m512i odd = _mm512_and_si512(_mm512_srai_epi16(pairs, 1), keep);
  return {{{{_mm512_cvtph_ps(_mm512_castsi512_si256(even))},
            {_mm512_cvtph_ps(_mm512_extracti64x4_epi64(even, 1))}},
           {{_mm512_cvtph_ps(_mm512_castsi512_si256(odd))},
            {_mm512_cvtph_ps(_mm512_extracti64x4_epi64(odd, 1))}}}};
}

#elif defined(RINGLET_ISA_AVX2)

// Upper halves go through memory: taking them out of a register has one unit, the same that
// widening needs.
RINGLET_INLINE Fp8Unit DecodeFp8(const std::byte* p) {
  const __m256i keep = _mm256_set1_epi16(static_cast<int16_t>(0xbf80));
  const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i shifted = _mm256_maddubs_epi16(_mm256_set1_epi16(0x80), pairs);
  const __m256i even = _mm256_and_si256(shifted, keep);
  const __m256i odd = _mm256_and_si256(_mm256_srai_epi16(pairs, 1), keep);
  __m256i halves[2] = {even, odd};
  __asm__("" : "+m"(halves));
  const auto* quarters = reinterpret_cast<const __m128i*>(halves);
  return {{{{_mm256_cvtph_ps(_mm256_castsi256_si128(even))}, {_mm256_cvtph_ps(quarters[1])}},
           {{_mm256_cvtph_ps(_mm256_castsi256_si128(odd))}, {_mm256_cvtph_ps(quarters[3])}}}};
}

#elif defined(RINGLET_ISA_ANY_NEON)

RINGLET_INLINE Fp8Unit DecodeFp8(const std::byte* p) {
  const int16x8_t keep = vdupq_n_s16(static_cast<int16_t>(0xbf80));
  const int16x8_t pairs = vreinterpretq_s16_s8(vld1q_s8(reinterpret_cast<const int8_t*>(p)));
  const int16x8_t even = vandq_s16(vshrq_n_s16(vshlq_n_s16(pairs, 8), 1), keep);
  const int16x8_t odd = vandq_s16(vshrq_n_s16(pairs, 1), keep);
  const float16x8_t halves[2] = {vreinterpretq_f16_s16(even), vreinterpretq_f16_s16(odd)};
  return {{{{vcvt_f32_f16(vget_low_f16(halves[0]))}, {vcvt_high_f32_f16(halves[0])}},
           {{vcvt_f32_f16(vget_low_f16(halves[1]))}, {vcvt_high_f32_f16(halves[1])}}}};
}

#else

// Any number of lanes, by fp16 numbers in memory.
RINGLET_INLINE Fp8Unit DecodeFp8(const std::byte* p) {
  uint16_t halves[2][2 * kLanes];
  for (int i = 0; i < 4 * kLanes; ++i) {
    const auto code = std::to_integer<unsigned>(p[i]);
    halves[i % 2][i / 2] = static_cast<uint16_t>((code & 0x80) << 8 | (code & 0x7f) << 7);
  }
  return {{{LoadF16(halves[0]), LoadF16(halves[0] + kLanes)},
           {LoadF16(halves[1]), LoadF16(halves[1] + kLanes)}}};
}

#endif

constexpr int64_t kFp8RowBytes = kPanel * 2;  // one pair of inputs of all outputs
// Sums that fit the registers beside a unit: of 16, or of 32.
constexpr int kFp8Sums = kLanes == 8 || kLanes == 1 ? 12 : 24;
constexpr int kFp8FewRows = 6;
// Further than the others: measured (bench/README.md).
constexpr int64_t kFp8ReadAhead = 1536;
// Vectors of a strip that `rows` rows take at once.
constexpr int Fp8Vectors(int rows) {
  int vectors = 2;
  while (vectors * 2 * rows <= kFp8Sums && vectors * 2 <= kPanelVectors) vectors *= 2;
  return vectors;
}

// One block of a panel.
struct Fp8BlockView {
  const std::byte* codes;
  const float* scales;
  int64_t pairs;
  int64_t first;  // pair of the panel
};

RINGLET_INLINE Fp8BlockView Fp8BlockAt(const GemmTile& tile, int64_t block) {
  const int64_t inputs =
      tile.k - block * kFp8Block < kFp8Block ? tile.k - block * kFp8Block : kFp8Block;
  const int64_t pairs = (inputs + 1) / 2;
  const std::byte* codes =
      tile.panel + block * (kFp8Block / 2 * kFp8RowBytes + kPanel * int64_t{4});
  return {codes, reinterpret_cast<const float*>(codes + pairs * kFp8RowBytes), pairs,
          block * kFp8Block / 2};
}

RINGLET_INLINE int64_t Fp8Blocks(const GemmTile& tile) {
  return (tile.k + kFp8Block - 1) / kFp8Block;
}

// acc + scale * sum of a finished block.
RINGLET_INLINE F32 AddFp8Block(F32 sum, const float* scales, F32 acc) {
  const F32 whole = kFp8Unscale ? Mul(sum, Set(0x1p8f)) : sum;
  return Fma(Load(scales), whole, acc);
}

// R rows of the columns of one strip, decoded on the way. Several strips share the reading ahead
// of the next block, so that it goes on at an even pace.
template <int R, int V>
RINGLET_INLINE void Fp8Strip(const Fp8BlockView& block, int strip, const Fp8Input* const (&x)[R],
                             F32 (&acc)[R][V]) {
  constexpr int kStrips = kPanelVectors / V;
  constexpr int64_t kAhead = kFp8RowBytes / kStrips;
  const int column = strip * V * kLanes;
  F32 sum[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) sum[r][v] = Zero();
  }
  for (int64_t pair = 0; pair < block.pairs; ++pair) {
    const std::byte* at = block.codes + pair * kFp8RowBytes + column * 2;
    if constexpr (kStrips > 1) {
      ReadAhead(block.codes + (strip * block.pairs + pair) * kAhead, kFp8Block / 2 * kFp8RowBytes,
                kAhead > 64 ? kAhead : 64);
    }
#pragma GCC unroll 16
    for (int v = 0; v < V; v += 2) {
      if (kStrips == 1 && v * kLanes * 2 % 64 == 0) {
        ReadAhead(at + v * kLanes * 2, kFp8ReadAhead, 64);
      }
      const Fp8Unit w = DecodeFp8(at + v * kLanes * 2);
      // Step by step for all rows: two vectors of weights fit the registers beside the sums.
#pragma GCC unroll 2
      for (int step = 0; step < kFp8Steps; ++step) {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
          const Fp8Input value = x[r][(block.first + pair) * kFp8Steps + step];
          sum[r][v] = AddFp8(value, w.step[step][0], sum[r][v]);
          sum[r][v + 1] = AddFp8(value, w.step[step][1], sum[r][v + 1]);
        }
      }
    }
  }
  if constexpr (kStrips == 1) {
    ReadAhead(reinterpret_cast<const std::byte*>(block.scales), kFp8ReadAhead, kPanel * 4);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      acc[r][v] = AddFp8Block(sum[r][v], block.scales + column + v * kLanes, acc[r][v]);
    }
  }
}

template <int R>
void Fp8FewRows(const GemmTile& tile, int64_t row) {
  constexpr int V = Fp8Vectors(R);
  constexpr int kStrips = kPanelVectors / V;
  const Fp8Input* x[R];
  for (int r = 0; r < R; ++r) x[r] = reinterpret_cast<const Fp8Input*>(tile.inputs[row + r]);
  F32 acc[kStrips][R][V];
  for (int s = 0; s < kStrips; ++s) {
    for (int r = 0; r < R; ++r) {
      for (int v = 0; v < V; ++v) acc[s][r][v] = Zero();
    }
  }
  for (int64_t b = 0; b < Fp8Blocks(tile); ++b) {
    const Fp8BlockView block = Fp8BlockAt(tile, b);
    for (int s = 0; s < kStrips; ++s) Fp8Strip<R, V>(block, s, x, acc[s]);
  }
  for (int s = 0; s < kStrips; ++s) StoreBlock<R, V>(acc[s], tile, row, s * V * kLanes);
}

// Many rows: register blocks of a strip that lies decoded in the first-level cache, 8 or 16 KiB.
#if defined(RINGLET_ISA_AVX512_VNNI)
constexpr int kFp8Rows = 12;
constexpr int kFp8Vectors = 2;
#else
constexpr int kFp8Rows = 6;
constexpr int kFp8Vectors = kFp8Sums / kFp8Rows;
#endif
constexpr int kFp8StripColumns = kFp8Vectors * kLanes;
constexpr int64_t kFp8StripValues = kFp8Block / 2 * kFp8Steps * kFp8StripColumns;
// Rows whose sums over the blocks so far are kept, 24 KiB.
constexpr int64_t kFp8ManyRows = 96;

RINGLET_INLINE void DecodeFp8Strip(const Fp8BlockView& block, int column, float* strip) {
  for (int64_t pair = 0; pair < block.pairs; ++pair) {
    const std::byte* at = block.codes + pair * kFp8RowBytes + column * 2;
    ReadAhead(at, kFp8Block / 2 * kFp8RowBytes + kPanel * 4, 64);
#pragma GCC unroll 4
    for (int v = 0; v < kFp8Vectors; v += 2) {
      const Fp8Unit w = DecodeFp8(at + v * kLanes * 2);
#pragma GCC unroll 2
      for (int step = 0; step < kFp8Steps; ++step) {
        float* to = strip + (pair * kFp8Steps + step) * kFp8StripColumns + v * kLanes;
        StoreFp8(w.step[step][0], to);
        StoreFp8(w.step[step][1], to + kLanes);
      }
    }
  }
}

// R rows times a decoded strip; `out` has kPanel columns a row.
template <int R>
void Fp8ManyRowsBlock(const Fp8BlockView& block, int column, const float* strip,
                      const std::byte* const* inputs, float* out) {
  const Fp8Input* x[R];
  for (int r = 0; r < R; ++r) {
    x[r] = reinterpret_cast<const Fp8Input*>(inputs[r]) + block.first * kFp8Steps;
  }
  F32 sum[R][kFp8Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kFp8Vectors; ++v) sum[r][v] = Zero();
  }
  const int64_t steps = block.pairs * kFp8Steps;
  for (int64_t step = 0; step < steps; ++step) {
    Fp8Vector w[kFp8Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < kFp8Vectors; ++v) {
      w[v] = LoadFp8(strip + step * kFp8StripColumns + v * kLanes);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kFp8Vectors; ++v) sum[r][v] = AddFp8(x[r][step], w[v], sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kFp8Vectors; ++v) {
      float* to = out + r * kPanel + column + v * kLanes;
      Store(AddFp8Block(sum[r][v], block.scales + column + v * kLanes, Load(to)), to);
    }
  }
}

// Fp8ManyRowsBlock for `rows` rows, kFp8Rows / 2 to R.
template <int R>
RINGLET_INLINE void Fp8SomeRowsBlock(int64_t rows, const Fp8BlockView& block, int column,
                                     const float* strip, const std::byte* const* inputs,
                                     float* out) {
  if (rows == R) return Fp8ManyRowsBlock<R>(block, column, strip, inputs, out);
  if constexpr (R > kFp8Rows / 2) Fp8SomeRowsBlock<R - 1>(rows, block, column, strip, inputs, out);
}

// `rows` rows from `row` on, more than kFp8FewRows and at most kFp8ManyRows.
void Fp8ManyRows(const GemmTile& tile, int64_t row, int64_t rows) {
  alignas(64) float strip[kFp8StripValues];
  alignas(64) float out[kFp8ManyRows * kPanel];
  std::memset(out, 0, static_cast<size_t>(rows * kPanel) * sizeof(float));
  for (int64_t b = 0; b < Fp8Blocks(tile); ++b) {
    const Fp8BlockView block = Fp8BlockAt(tile, b);
    for (int column = 0; column < tile.columns; column += kFp8StripColumns) {
      DecodeFp8Strip(block, column, strip);
      for (int64_t done = 0; done < rows;) {
        // The last two register blocks are about equal: a block of one row would wait for its sums.
        const int64_t left = rows - done;
        const int64_t take =
            left >= 2 * kFp8Rows ? kFp8Rows : (left > kFp8Rows ? (left + 1) / 2 : left);
        Fp8SomeRowsBlock<kFp8Rows>(take, block, column, strip, tile.inputs + row + done,
                                   out + done * kPanel);
        done += take;
      }
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(tile.outputs[row + r], out + r * kPanel,
                static_cast<size_t>(tile.columns) * sizeof(float));
  }
}

void TileFp8(const GemmTile& tile) {
  int64_t row = 0;
  while (tile.rows - row > kFp8FewRows) {
    const int64_t left = tile.rows - row;
    const int64_t rows = left < kFp8ManyRows ? left : kFp8ManyRows;
    Fp8ManyRows(tile, row, rows);
    row += rows;
  }
  switch (tile.rows - row) {
    case 1:
      return Fp8FewRows<1>(tile, row);
    case 2:
      return Fp8FewRows<2>(tile, row);
    case 3:
      return Fp8FewRows<3>(tile, row);
    case 4:
      return Fp8FewRows<4>(tile, row);
    case 5:
      return Fp8FewRows<5>(tile, row);
    case 6:
      return Fp8FewRows<6>(tile, row);
    default:
      return;
  }
}
