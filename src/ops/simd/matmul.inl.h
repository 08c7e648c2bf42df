// c[r][0..n) (+)= sum over k, ascending, of x[r][k] * w[k * ldw + 0..n). fp32, one multiply-add per
// term in the order of k, so an element's bits do not depend on how rows and columns are blocked.
// Included in the region of a kernel file after vec.inl.h.

template <int R, int V, bool Tail>
RINGLET_INLINE void MatMulBlock(const float* const* x, int64_t k, const float* w, int64_t ldw,
                                int columns, float* const* c, bool accumulate) {
  // With Tail the last vector has `columns - (V - 1) * kLanes` valid lanes.
  const int last = columns - (V - 1) * kLanes;
  F32 acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      const float* old = c[r] + v * kLanes;
      acc[r][v] = !accumulate ? Zero() : (Tail && v == V - 1 ? LoadN(old, last) : Load(old));
    }
  }
  for (int64_t i = 0; i < k; ++i) {
    F32 weights[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      const float* p = w + i * ldw + v * kLanes;
      weights[v] = Tail && v == V - 1 ? LoadN(p, last) : Load(p);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const F32 value = Set(x[r][i]);
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) acc[r][v] = Fma(value, weights[v], acc[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      if (Tail && v == V - 1) {
        StoreN(acc[r][v], c[r] + v * kLanes, last);
      } else {
        Store(acc[r][v], c[r] + v * kLanes);
      }
    }
  }
}

// One block of R rows over the columns of one strip, [0, n) with n <= kStripVectors * kLanes.
template <int R>
RINGLET_INLINE void MatMulStrip(const float* const* x, int64_t k, const float* w, int64_t ldw,
                                int64_t n, float* const* c, int64_t column, bool accumulate) {
  constexpr int V = kLanes == 8 ? 2 : 4;
  float* out[R];
  for (int r = 0; r < R; ++r) out[r] = c[r] + column;
  if (n == V * kLanes) {
    return MatMulBlock<R, V, false>(x, k, w + column, ldw, V * kLanes, out, accumulate);
  }
  int64_t begin = 0;
  for (; begin + kLanes <= n; begin += kLanes) {
    for (int r = 0; r < R; ++r) out[r] = c[r] + column + begin;
    MatMulBlock<R, 1, false>(x, k, w + column + begin, ldw, kLanes, out, accumulate);
  }
  if (begin < n) {
    for (int r = 0; r < R; ++r) out[r] = c[r] + column + begin;
    MatMulBlock<R, 1, true>(x, k, w + column + begin, ldw, static_cast<int>(n - begin), out,
                            accumulate);
  }
}

constexpr int kMatMulRows = 6;

RINGLET_INLINE void MatMulRows(const float* const* x, int64_t rows, int64_t k, const float* w,
                               int64_t ldw, int64_t n, float* const* c, int64_t column,
                               bool accumulate) {
  int64_t row = 0;
  for (; row + kMatMulRows <= rows; row += kMatMulRows) {
    MatMulStrip<kMatMulRows>(x + row, k, w, ldw, n, c + row, column, accumulate);
  }
  switch (rows - row) {
    case 1:
      return MatMulStrip<1>(x + row, k, w, ldw, n, c + row, column, accumulate);
    case 2:
      return MatMulStrip<2>(x + row, k, w, ldw, n, c + row, column, accumulate);
    case 3:
      return MatMulStrip<3>(x + row, k, w, ldw, n, c + row, column, accumulate);
    case 4:
      return MatMulStrip<4>(x + row, k, w, ldw, n, c + row, column, accumulate);
    case 5:
      return MatMulStrip<5>(x + row, k, w, ldw, n, c + row, column, accumulate);
    default:
      return;
  }
}

static void MatMulAdd(const float* const* x, int64_t rows, int64_t k, const float* w, int64_t ldw,
                      int64_t n, float* const* c, bool accumulate) {
  int64_t column = 0;
  if (rows == 1) {
    // One row takes wide strips: enough independent chains, and w is read as one stream.
    constexpr int V = 8;
    for (; column + V * kLanes <= n; column += V * kLanes) {
      float* out = c[0] + column;
      MatMulBlock<1, V, false>(x, k, w + column, ldw, V * kLanes, &out, accumulate);
    }
  }
  // Strips outside, rows inside: a strip of w stays in the first cache for all rows.
  constexpr int64_t kStrip = (kLanes == 8 ? 2 : 4) * kLanes;
  for (; column < n; column += kStrip) {
    MatMulRows(x, rows, k, w, ldw, n - column < kStrip ? n - column : kStrip, c, column,
               accumulate);
  }
}

// The same where row r has its own number of terms, k[r]. Rows share the terms they have in common
// and finish alone: no term is ever replaced by a multiplication with zero.
static void MatMulAddRagged(const float* const* x, int64_t rows, const int64_t* k, const float* w,
                            int64_t ldw, int64_t n, float* const* c, bool accumulate) {
  for (int64_t row = 0; row < rows; row += kMatMulRows) {
    const int64_t count = rows - row < kMatMulRows ? rows - row : kMatMulRows;
    int64_t common = k[row];
    for (int64_t r = 1; r < count; ++r) common = k[row + r] < common ? k[row + r] : common;
    MatMulAdd(x + row, count, common, w, ldw, n, c + row, accumulate);
    for (int64_t r = row; r < row + count; ++r) {
      if (k[r] == common) continue;
      const float* rest = x[r] + common;
      MatMulAdd(&rest, 1, k[r] - common, w + common * ldw, ldw, n, c + r, true);
    }
  }
}
