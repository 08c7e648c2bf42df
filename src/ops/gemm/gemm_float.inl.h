// Tiles of fp32 and bf16 weights. Included in the region of gemm_cpu.cc.

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

#if defined(RINGLET_ISA_AVX512_BF16)

int64_t Bf16RowBytes(int64_t k) { return (k + 1) / 2 * 4; }
void PrepareBf16(const float* x, int64_t k, std::byte* out) {
  auto* values = reinterpret_cast<bf16_t*>(out);
  for (int64_t i = 0; i < k; ++i) values[i] = FloatToBf16(x[i]);
  if (k % 2 != 0) values[k] = 0;
}

#else

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

void TileF32(const GemmTile& tile) { FloatTile<F32Weights<kPanel>>(tile); }
void TileBf16(const GemmTile& tile) { FloatTile<Bf16Weights<kPanel>>(tile); }
