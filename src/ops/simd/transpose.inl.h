// Transposition, for products whose operands lie the other way. Included in a region after
// vec.inl.h.

#if defined(RINGLET_ISA_ANY_NEON)
constexpr int64_t kTransposeBlock = 4;
// 4 rows from in[0..4) + column to 4 rows of out: pairs of elements of two rows, then of four.
RINGLET_INLINE void TransposeBlock(const float* const* in, int64_t column, float* out,
                                   int64_t stride) {
  const float32x4_t a = vld1q_f32(in[0] + column);
  const float32x4_t b = vld1q_f32(in[1] + column);
  const float32x4_t c = vld1q_f32(in[2] + column);
  const float32x4_t d = vld1q_f32(in[3] + column);
  const float64x2_t even_ab = vreinterpretq_f64_f32(vtrn1q_f32(a, b));
  const float64x2_t odd_ab = vreinterpretq_f64_f32(vtrn2q_f32(a, b));
  const float64x2_t even_cd = vreinterpretq_f64_f32(vtrn1q_f32(c, d));
  const float64x2_t odd_cd = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
  vst1q_f32(out, vreinterpretq_f32_f64(vtrn1q_f64(even_ab, even_cd)));
  vst1q_f32(out + stride, vreinterpretq_f32_f64(vtrn1q_f64(odd_ab, odd_cd)));
  vst1q_f32(out + 2 * stride, vreinterpretq_f32_f64(vtrn2q_f64(even_ab, even_cd)));
  vst1q_f32(out + 3 * stride, vreinterpretq_f32_f64(vtrn2q_f64(odd_ab, odd_cd)));
}
#elif defined(RINGLET_ISA_SCALAR)
constexpr int64_t kTransposeBlock = 1;
RINGLET_INLINE void TransposeBlock(const float* const* in, int64_t column, float* out, int64_t) {
  *out = in[0][column];
}
#else
constexpr int64_t kTransposeBlock = 8;
// 8 rows from in[0..8) + column to 8 rows of out; 256-bit instructions, which every set has.
RINGLET_INLINE void TransposeBlock(const float* const* in, int64_t column, float* out,
                                   int64_t stride) {
  __m256 pairs[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    const __m256 a = _mm256_loadu_ps(in[i] + column);
    const __m256 b = _mm256_loadu_ps(in[i + 1] + column);
    pairs[i] = _mm256_unpacklo_ps(a, b);
    pairs[i + 1] = _mm256_unpackhi_ps(a, b);
  }
  __m256 quads[8];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(out + i * stride, _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * stride, _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31));
  }
}
#endif

// out[c * stride + r] = in(r)[c] for r in [0, rows), c in [0, columns).
template <typename Row>
RINGLET_INLINE void Transpose(const Row& in, int64_t rows, int64_t columns, float* out,
                              int64_t stride) {
  constexpr int64_t kBlock = kTransposeBlock;
  int64_t r = 0;
  for (; r + kBlock <= rows; r += kBlock) {
    const float* block[kBlock];
    for (int64_t i = 0; i < kBlock; ++i) block[i] = in(r + i);
    int64_t c = 0;
    for (; c + kBlock <= columns; c += kBlock) {
      TransposeBlock(block, c, out + c * stride + r, stride);
    }
    for (; c < columns; ++c) {
      for (int64_t i = 0; i < kBlock; ++i) out[c * stride + r + i] = block[i][c];
    }
  }
  for (; r < rows; ++r) {
    const float* row = in(r);
    for (int64_t c = 0; c < columns; ++c) out[c * stride + r] = row[c];
  }
}
