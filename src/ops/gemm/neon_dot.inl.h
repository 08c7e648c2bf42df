// Dot products of int8 inputs and 8-bit weights, or 4-bit ones unpacked to bytes, with NEON.
// Included in the region of gemm_cpu.cc.
//
// A word is a vector of the codes of four inputs of each of four outputs. A row's inputs are read
// 16 at a time, and instructions take the four that belong to a word.

using IntVector = int32x4_t;
RINGLET_INLINE F32 ToFloat(IntVector a) { return {vcvtq_f32_s32(a)}; }
RINGLET_INLINE IntVector SetInt(int x) { return vdupq_n_s32(x); }
RINGLET_INLINE IntVector SubInt(IntVector a, IntVector b) { return vsubq_s32(a, b); }

RINGLET_INLINE int8x16_t LoadBytes(const void* p) {
  return vld1q_s8(static_cast<const int8_t*>(p));
}
RINGLET_INLINE int8x16_t LowNibbles(int8x16_t pairs) { return vandq_s8(pairs, vdupq_n_s8(15)); }
RINGLET_INLINE int8x16_t HighNibbles(int8x16_t pairs) {
  return vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(pairs), 4));
}

#if defined(RINGLET_ISA_NEON_DOTPROD)

// Vectors of outputs that are multiplied together.
constexpr int kTogether = 1;

// sum += the products of word w and inputs 4 * kLane to 4 * kLane + 3 of x. Not the intrinsic:
// clang 14 has none without a flag for the whole file.
template <int kLane>
RINGLET_INLINE void AddDot(int8x16_t w, int8x16_t x, IntVector* sum) {
  __asm__("sdot %0.4s, %1.16b, %2.4b[%c3]" : "+w"(*sum) : "w"(w), "w"(x), "i"(kLane));
}

// sum += the products of four words and 16 inputs.
RINGLET_INLINE void AddDots(const int8x16_t* w, int8x16_t x, IntVector* sum) {
  AddDot<0>(w[0], x, sum);
  AddDot<1>(w[1], x, sum);
  AddDot<2>(w[2], x, sum);
  AddDot<3>(w[3], x, sum);
}

template <int kBits, int kWords>
RINGLET_INLINE void DotWords(const int8x16_t (&w)[kTogether][kWords], const int8_t* q,
                             IntVector* dot) {
  dot[0] = vdupq_n_s32(0);
#pragma GCC unroll 2
  for (int i = 0; i < kWords; i += 4) AddDots(w[0] + i, LoadBytes(q + 4 * i), &dot[0]);
}

#else

// Two vectors share a row's inputs, which have to be spread over a vector first.
constexpr int kTogether = 2;

// Inputs 4 * word to 4 * word + 3 of q, four times.
RINGLET_INLINE int8x16_t InputWord(const int8_t* q, int word) {
  int32_t four;
  std::memcpy(&four, q + 4 * word, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

// Products of 16 bytes, those that meet in a lane of an output beside each other.
struct Products {
  int16x8_t low;   // outputs 0 and 1
  int16x8_t high;  // outputs 2 and 3
};
RINGLET_INLINE Products Multiply(int8x16_t w, int8x16_t x) {
  return {vmull_s8(vget_low_s8(w), vget_low_s8(x)), vmull_high_s8(w, x)};
}
RINGLET_INLINE Products MultiplyAdd(Products sum, int8x16_t w, int8x16_t x) {
  return {vmlal_s8(sum.low, vget_low_s8(w), vget_low_s8(x)), vmlal_high_s8(sum.high, w, x)};
}

// 16 bits hold 8 products of 4-bit codes (8 * 15 * 127 = 15240), and two of 8-bit ones
// (2 * 128 * 127 = 32512).
template <int kBits, int kWords>
RINGLET_INLINE void DotWords(const int8x16_t (&w)[kTogether][kWords], const int8_t* q,
                             IntVector* dot) {
  constexpr int kNarrow = kBits == 4 ? kWords : 2;
  IntVector low[kTogether];
  IntVector high[kTogether];
#pragma GCC unroll 4
  for (int begin = 0; begin < kWords; begin += kNarrow) {
    Products sum[kTogether];
#pragma GCC unroll 8
    for (int word = begin; word < begin + kNarrow; ++word) {
      const int8x16_t x = InputWord(q, word);
#pragma GCC unroll 2
      for (int v = 0; v < kTogether; ++v) {
        sum[v] = word == begin ? Multiply(w[v][word], x) : MultiplyAdd(sum[v], w[v][word], x);
      }
    }
#pragma GCC unroll 2
    for (int v = 0; v < kTogether; ++v) {
      low[v] = begin == 0 ? vpaddlq_s16(sum[v].low) : vpadalq_s16(low[v], sum[v].low);
      high[v] = begin == 0 ? vpaddlq_s16(sum[v].high) : vpadalq_s16(high[v], sum[v].high);
    }
  }
#pragma GCC unroll 2
  for (int v = 0; v < kTogether; ++v) dot[v] = vpaddq_s32(low[v], high[v]);
}

#endif

// The words of one group of one vector of outputs.
template <typename Spec>
RINGLET_INLINE void LoadWords(const std::byte* codes, int8x16_t (&w)[Spec::kGroup / 4]) {
  if constexpr (Spec::kBits == 4) {
#pragma GCC unroll 4
    for (int octet = 0; octet < Spec::kGroup / 8; ++octet) {
      const int8x16_t pairs = LoadBytes(codes + octet * kPanel * 4);
      w[2 * octet] = LowNibbles(pairs);
      w[2 * octet + 1] = HighNibbles(pairs);
    }
  } else {
#pragma GCC unroll 8
    for (int word = 0; word < Spec::kGroup / 4; ++word) {
      w[word] = LoadBytes(codes + word * kPanel * 4);
    }
  }
}

template <typename Spec, int R, int V>
RINGLET_INLINE void GroupDot(const std::byte* codes, int column, const int8_t* const (&q)[R],
                             IntVector (&dot)[R][V]) {
  constexpr int64_t kAheadOf = Spec::kCodeBytes / kPanelVectors * kTogether;
#pragma GCC unroll 1
  for (int v = 0; v < V; v += kTogether) {
    // Lines in rising order, though a word's vectors lie apart.
    if (R == 1) ReadAhead(codes + v / kTogether * kAheadOf, kReadAhead, kAheadOf);
    int8x16_t w[kTogether][Spec::kGroup / 4];
#pragma GCC unroll 2
    for (int i = 0; i < kTogether; ++i) {
      LoadWords<Spec>(codes + (column + (v + i) * kLanes) * 4, w[i]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const int8_t* inputs = q[r];
      // Read again for each v: kept, those of all rows would not fit the registers.
      if (R > 1) __asm__ volatile("" : "+r"(inputs));
      DotWords<Spec::kBits>(w, inputs, &dot[r][v]);
    }
  }
}
template <typename Spec>
constexpr int CodeOffset() {
  return 0;
}
