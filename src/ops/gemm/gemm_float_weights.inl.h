// fp32 and bf16 weights, a step of k at a time. Included in the regions of gemm_cpu.cc and
// gemm_backward_cpu.cc. kStride is the number of outputs between two steps.

// Rows and vectors of a register block: 6 x 2 of 8 lanes, 6 x 4 of 16 lanes.
constexpr int kBlockRows = 6;
constexpr int kBlockVectors = kLanes == 16 ? 4 : (kLanes == 8 ? 2 : 4);

template <int64_t kStride>
struct F32Weights {
  using Input = float;
  // Whether one row has more to do than the processor hides behind its reads.
  static constexpr bool kBusy = false;
  // One step covers one k.
  static int64_t Steps(int64_t k) { return k; }
  template <int R, int V>
  RINGLET_INLINE void Step(const std::byte* panel, int64_t step, int column,
                           const float* const (&x)[R], F32 (&acc)[R][V]) {
    const float* w = reinterpret_cast<const float*>(panel) + step * kStride + column;
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
template <int64_t kStride>
struct Bf16Weights {
  using Input = uint32_t;
  static constexpr bool kBusy = false;
  static int64_t Steps(int64_t k) { return (k + 1) / 2; }
  template <int R, int V>
  RINGLET_INLINE void Step(const std::byte* panel, int64_t step, int column,
                           const uint32_t* const (&x)[R], F32 (&acc)[R][V]) {
    const std::byte* w = panel + (step * kStride + column) * 4;
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

#else

// Two bf16 weights per 32-bit lane, widened to fp32 by shift and mask. Inputs stay fp32: without a
// BF16 multiplier, rounding them would lose accuracy and gain nothing.
template <int64_t kStride>
struct Bf16Weights {
  using Input = float;
  static constexpr bool kBusy = true;
  static int64_t Steps(int64_t k) { return (k + 1) / 2; }
  template <int R, int V>
  RINGLET_INLINE void Step(const std::byte* panel, int64_t step, int column,
                           const float* const (&x)[R], F32 (&acc)[R][V]) {
    const std::byte* w = panel + (step * kStride + column) * 4;
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

#endif
