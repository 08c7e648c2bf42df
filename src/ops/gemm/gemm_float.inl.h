// fp32 and bf16 weights. Included in the region of gemm_cpu.cc.

// Writes a block's accumulators to output columns [column, column + V * kLanes) of each row,
// leaving columns at and beyond tile.columns untouched.
template <int R, int V>
RINGLET_INLINE void StoreBlock(const F32 (&acc)[R][V], const GemmTile& tile, int64_t row,
                               int column) {
  for (int r = 0; r < R; ++r) {
    for (int v = 0; v < V; ++v) {
      const int begin = column + v * kLanes;
      const int count = tile.columns - begin;
      float* out = tile.outputs[row + r] + begin;
      if (count >= kLanes) {
        Store(acc[r][v], out);
      } else if (count > 0) {
        StoreN(acc[r][v], out, count);
      }
    }
  }
}

struct F32Weights {
  using Input = float;
  // Whether one row has more to do than the processor hides behind its reads.
  static constexpr bool kBusy = false;
  // One step covers one k.
  static int64_t Steps(int64_t k) { return k; }
  template <int R, int V>
  RINGLET_INLINE void Step(const std::byte* panel, int64_t step, int column,
                           const float* const (&x)[R], F32 (&acc)[R][V]) {
    const float* w = reinterpret_cast<const float*>(panel) + step * kPanel + column;
    F32 weights[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) weights[v] = Load(w + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const F32 value = Set(x[r][step]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(value, weights[v], acc[r][v]);
    }
  }
};

#if defined(RINGLET_ISA_AVX512_BF16)

// Pairs of bf16 multiply and add into one fp32 lane. Inputs are pairs, too.
struct Bf16Weights {
  using Input = uint32_t;
  static constexpr bool kBusy = false;
  static int64_t Steps(int64_t k) { return (k + 1) / 2; }
  template <int R, int V>
  RINGLET_INLINE void Step(const std::byte* panel, int64_t step, int column,
                           const uint32_t* const (&x)[R], F32 (&acc)[R][V]) {
    const std::byte* w = panel + (step * kPanel + column) * 4;
    __m512i weights[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) weights[v] = _mm512_loadu_si512(w + v * 64);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const __m512i pair = _mm512_set1_epi32(static_cast<int>(x[r][step]));
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) {
        // C-style casts: std::bit_cast would pass vectors through a function outside the region.
        acc[r][v].v = _mm512_dpbf16_ps(acc[r][v].v, (__m512bh)weights[v], (__m512bh)pair);
      }
    }
  }
};

int64_t Bf16RowBytes(int64_t k) { return (k + 1) / 2 * 4; }
void PrepareBf16(const float* x, int64_t k, std::byte* out) {
  auto* values = reinterpret_cast<bf16_t*>(out);
  for (int64_t i = 0; i < k; ++i) values[i] = FloatToBf16(x[i]);
  if (k % 2 != 0) values[k] = 0;
}

#else

// Two bf16 weights per 32-bit lane, widened to fp32 by shift and mask. Inputs stay fp32: without a
// BF16 multiplier, rounding them would lose accuracy and gain nothing.
struct Bf16Weights {
  using Input = float;
  static constexpr bool kBusy = true;
  static int64_t Steps(int64_t k) { return (k + 1) / 2; }
  template <int R, int V>
  RINGLET_INLINE void Step(const std::byte* panel, int64_t step, int column,
                           const float* const (&x)[R], F32 (&acc)[R][V]) {
    const std::byte* w = panel + (step * kPanel + column) * 4;
    // One half of the pairs after the other, so that both fit the registers beside the sums.
    F32 half[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) half[v] = WidenEven(w + v * kLanes * 4);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const F32 value = Set(x[r][2 * step]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(value, half[v], acc[r][v]);
    }
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) half[v] = WidenOdd(w + v * kLanes * 4);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const F32 value = Set(x[r][2 * step + 1]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(value, half[v], acc[r][v]);
    }
  }

  RINGLET_INLINE F32 WidenEven(const std::byte* p) {
#if defined(RINGLET_ISA_AVX512_VNNI)
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))};
#elif defined(RINGLET_ISA_AVX2)
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16))};
#elif defined(RINGLET_ISA_ANY_NEON)
    return {
        vreinterpretq_f32_u32(vshlq_n_u32(vld1q_u32(reinterpret_cast<const uint32_t*>(p)), 16))};
#else
    uint32_t pair;
    std::memcpy(&pair, p, 4);
    return {std::bit_cast<float>(pair << 16)};
#endif
  }
  RINGLET_INLINE F32 WidenOdd(const std::byte* p) {
#if defined(RINGLET_ISA_AVX512_VNNI)
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), high))};
#elif defined(RINGLET_ISA_AVX2)
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    return {_mm256_castsi256_ps(_mm256_and_si256(pairs, high))};
#elif defined(RINGLET_ISA_ANY_NEON)
    const uint32x4_t pairs = vld1q_u32(reinterpret_cast<const uint32_t*>(p));
    return {vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff0000u)))};
#else
    uint32_t pair;
    std::memcpy(&pair, p, 4);
    return {std::bit_cast<float>(pair & 0xffff0000u)};
#endif
  }
};

int64_t Bf16RowBytes(int64_t k) { return (k + 1) / 2 * 8; }
void PrepareBf16(const float* x, int64_t k, std::byte* out) {
  std::memcpy(out, x, static_cast<size_t>(k) * sizeof(float));
  if (k % 2 != 0) reinterpret_cast<float*>(out)[k] = 0.0f;
}

#endif

template <typename Weights, int R, int V>
RINGLET_INLINE void FloatBlock(const GemmTile& tile, int64_t row, int column) {
  const typename Weights::Input* x[R];
  for (int r = 0; r < R; ++r) {
    x[r] = reinterpret_cast<const typename Weights::Input*>(tile.inputs[row + r]);
  }
  F32 acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) acc[r][v] = Zero();
  }
  const int64_t steps = Weights::Steps(tile.k);
  const bool first = Weights::kBusy && row == 0 && column == 0;
  for (int64_t step = 0; step < steps; ++step) {
    if (first) ReadAhead(tile.panel + step * kPanel * 4, kReadAhead, kPanel * 4);
    Weights::template Step<R, V>(tile.panel, step, column, x, acc);
  }
  StoreBlock<R, V>(acc, tile, row, column);
}

template <typename Weights, int R>
void FloatStrip(const GemmTile& tile, int64_t row) {
  // R rows of kBlockVectors at a time: few rows leave registers for more columns.
  constexpr int kVectors = R == 1 ? kPanelVectors : kBlockVectors;
  for (int column = 0; column < tile.columns; column += kVectors * kLanes) {
    FloatBlock<Weights, R, kVectors>(tile, row, column);
  }
}

template <typename Weights>
RINGLET_INLINE void FloatTile(const GemmTile& tile) {
  // Column strips outside, rows inside: a strip of weights stays in cache for all row blocks.
  const int64_t whole = tile.rows / kBlockRows * kBlockRows;
  if (whole > 0) {
    for (int column = 0; column < tile.columns; column += kBlockVectors * kLanes) {
      for (int64_t row = 0; row < whole; row += kBlockRows) {
        FloatBlock<Weights, kBlockRows, kBlockVectors>(tile, row, column);
      }
    }
  }
  switch (tile.rows - whole) {
    case 1:
      return FloatStrip<Weights, 1>(tile, whole);
    case 2:
      return FloatStrip<Weights, 2>(tile, whole);
    case 3:
      return FloatStrip<Weights, 3>(tile, whole);
    case 4:
      return FloatStrip<Weights, 4>(tile, whole);
    case 5:
      return FloatStrip<Weights, 5>(tile, whole);
    default:
      return;
  }
}

void TileF32(const GemmTile& tile) { FloatTile<F32Weights>(tile); }
void TileBf16(const GemmTile& tile) { FloatTile<Bf16Weights>(tile); }
