// c[r][0..n) (+)= sum over k, ascending, of x[r][k] * w[k * ldw + 0..n). fp32, one multiply-add per
// term in the order of k, so an element's bits do not depend on how rows and columns are blocked.
// Included in the region of a kernel file after vec.inl.h.

template <int R, int V, bool Tail>
RINGLET_INLINE void MatMulBlock(const float* const* x, int64_t k, const float* w, int64_t ldw,
                                int columns, float* const* c, bool accumulate) {
  // With Tail the last vector has `columns - (V - 1) * kLanes` valid lanes.
  const int last = columns - (V - 1) * kLanes;
  const auto load = [&](const float* p, int v) {
    return Tail && v == V - 1 ? LoadN(p + v * kLanes, last) : Load(p + v * kLanes);
  };
  F32 acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) acc[r][v] = accumulate ? load(c[r], v) : Zero();
  }
  for (int64_t i = 0; i < k; ++i) {
    F32 weights[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) weights[v] = load(w + i * ldw, v);
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

template <int R>
RINGLET_INLINE void MatMulStrip(const float* const* x, int64_t k, const float* w, int64_t ldw,
                                int64_t n, float* const* c, bool accumulate) {
  constexpr int V = R == 1 ? 8 : (kLanes == 8 ? 2 : 4);
  float* out[R];
  int64_t column = 0;
  for (; column + V * kLanes <= n; column += V * kLanes) {
    for (int r = 0; r < R; ++r) out[r] = c[r] + column;
    MatMulBlock<R, V, false>(x, k, w + column, ldw, V * kLanes, out, accumulate);
  }
  for (; column + kLanes <= n; column += kLanes) {
    for (int r = 0; r < R; ++r) out[r] = c[r] + column;
    MatMulBlock<R, 1, false>(x, k, w + column, ldw, kLanes, out, accumulate);
  }
  if (column < n) {
    for (int r = 0; r < R; ++r) out[r] = c[r] + column;
    MatMulBlock<R, 1, true>(x, k, w + column, ldw, static_cast<int>(n - column), out, accumulate);
  }
}

static void MatMulAdd(const float* const* x, int64_t rows, int64_t k, const float* w, int64_t ldw,
                      int64_t n, float* const* c, bool accumulate) {
  constexpr int kRows = 6;
  int64_t row = 0;
  for (; row + kRows <= rows; row += kRows) {
    MatMulStrip<kRows>(x + row, k, w, ldw, n, c + row, accumulate);
  }
  switch (rows - row) {
    case 1:
      return MatMulStrip<1>(x + row, k, w, ldw, n, c + row, accumulate);
    case 2:
      return MatMulStrip<2>(x + row, k, w, ldw, n, c + row, accumulate);
    case 3:
      return MatMulStrip<3>(x + row, k, w, ldw, n, c + row, accumulate);
    case 4:
      return MatMulStrip<4>(x + row, k, w, ldw, n, c + row, accumulate);
    case 5:
      return MatMulStrip<5>(x + row, k, w, ldw, n, c + row, accumulate);
    default:
      return;
  }
}

// The same where row r has its own number of terms, k[r]. Rows share the terms they have in common
// and finish alone: no term is ever replaced by a multiplication with zero.
static void MatMulAddRagged(const float* const* x, int64_t rows, const int64_t* k, const float* w,
                            int64_t ldw, int64_t n, float* const* c, bool accumulate) {
  constexpr int kRows = 6;
  for (int64_t row = 0; row < rows; row += kRows) {
    const int64_t count = rows - row < kRows ? rows - row : kRows;
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
